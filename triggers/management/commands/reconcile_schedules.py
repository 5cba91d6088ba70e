from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from triggers.clocks.reconcile import Difference, reconcile


class Command(BaseCommand):
    help = "Rebuild what Celery beat shows of the triggers' schedules."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; end with 1 if something differs",
        )
        parser.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *args: Any, check: bool, json: bool, **options: Any) -> None:
        found = reconcile(is_check=check)
        self.stdout.write(_as_json(found) if json else _in_words(found, check))
        if check and not found.is_none:
            sys.exit(1)


def _as_json(found: Difference) -> str:
    return json.dumps(asdict(found))


def _in_words(found: Difference, is_check: bool) -> str:
    if found.is_none:
        return f"{found.schedules} schedules, all mirrored as they are"
    counts = (
        f"{found.schedules} schedules: {found.missing} mirrors missing, "
        f"{found.wrong} wrong, {found.orphaned} of no schedule"
    )
    return counts if is_check else f"{counts}; rebuilt"
