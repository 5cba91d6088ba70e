from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from common.key_rotation import ColumnReport, rotate_keys


class Command(BaseCommand):
    help = "Re-encrypt stored secrets with the first of FIELD_ENCRYPTION_KEYS."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing, only count"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        reports = rotate_keys(is_dry_run=dry_run)
        if options["json"]:
            columns = [asdict(report) for report in reports]
            self.stdout.write(json.dumps({"columns": columns, "left": _left(reports)}))
        else:
            self.stdout.write("\n".join(_describe(reports)))
        if any(report.undecryptable for report in reports):
            sys.exit(1)


def _describe(reports: Sequence[ColumnReport]) -> Iterator[str]:
    for report in reports:
        yield (
            f"{report.column}: {report.rows} rows, {report.old} by an older key, "
            f"{report.rotated} re-encrypted"
        )
        if report.undecryptable:
            yield f"  no key decrypts: {', '.join(report.undecryptable)}"
    if left := _left(reports):
        yield f"{left} rows may still need an older key: run this command again"
    else:
        yield "No row needs an older key: all keys but the first can be removed"


def _left(reports: Sequence[ColumnReport]) -> int:
    return sum(report.left for report in reports)
