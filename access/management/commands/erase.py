from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from access.erasure import Erasure, erase_subject
from common.database.errors import error_kind, is_unavailable
from common.errors import TickhookError

_NOT_REACHED = (
    "Not reached: backups and archived WAL, log files, and what agents stored "
    "(docs/erasing-a-subject.md)."
)


class Command(BaseCommand):
    help = (
        "Erase what is stored of a subject: payloads, traces, parameters, results and "
        "rejections. Its triggers and webhooks stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--subject", required=True)
        parser.add_argument(
            "--dry-run", action="store_true", help="erase nothing, only count"
        )

    def handle(self, *args: Any, subject: str, dry_run: bool, **options: Any) -> None:
        try:
            erasure = erase_subject(subject, is_dry=dry_run)
        except TickhookError as error:
            raise CommandError(error.detail) from error
        except Error as error:
            if not is_unavailable(error):
                raise
            text = f"Stopped ({error_kind(error)}). Run the command again to continue"
            raise CommandError(text) from error
        self.stdout.write("\n".join(_table(erasure)))
        if dry_run:
            self.stdout.write("Nothing was erased: this was a dry run.")
            return
        if erasure.arrived:
            text = f"{erasure.arrived} events arrived meanwhile: run the command again."
            self.stdout.write(text)
        self.stdout.write(_NOT_REACHED)


def _table(erasure: Erasure) -> Iterator[str]:
    for kind, rows in erasure.cancelled.items():
        yield f"{rows:>10}  {kind}, cancelled"
    for kind, rows in erasure.erased.items():
        yield f"{rows:>10}  {kind}"
    yield f"{sum(erasure.erased.values()):>10}  rows in total"
