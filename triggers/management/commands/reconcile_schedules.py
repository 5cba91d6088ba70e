from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from triggers.clocks.mirror import Difference, reconcile


class Command(BaseCommand):
    help = "Rebuild the rows of PeriodicTask that mirror the triggers' schedules."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; exit with status 1 if a mirror differs",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        found = reconcile(is_check=check)
        as_json = json.dumps(asdict(found))
        self.stdout.write(as_json if options["json"] else _in_words(found, check))
        if check and not found.is_none:
            sys.exit(1)


def _in_words(found: Difference, is_check: bool) -> str:
    if found.is_none:
        return f"{found.schedules} schedules, all mirrors are correct"
    counts = (
        f"{found.schedules} schedules: {found.missing} mirrors missing, "
        f"{found.wrong} wrong, {found.orphaned} without a schedule"
    )
    return counts if is_check else f"{counts}; rebuilt"
