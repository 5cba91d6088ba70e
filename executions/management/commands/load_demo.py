from __future__ import annotations

from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions.demo import emit_invoice, load_triggers, send_push


class Command(BaseCommand):
    help = "Create the demo's triggers unless they exist, and send their events."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            default=settings.PUBLIC_URL,
            help="URL of the running site, to which the webhook is sent",
        )

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        load_triggers()
        try:
            status = send_push(url=url)
        except httpx2.HTTPError as error:
            raise CommandError(f"{url} cannot be reached: {error}") from error
        if status != 200:
            raise CommandError(f"{url} answered the webhook with status {status}")
        emit_invoice()
        self.stdout.write("Loaded the demo: 3 triggers, a webhook and an event sent")
