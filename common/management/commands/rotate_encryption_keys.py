from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from common.key_rotation import ColumnReport, rotate_keys


class Command(BaseCommand):
    help = "Encrypt with the first of FIELD_ENCRYPTION_KEYS what older keys encrypted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing, only count"
        )
        parser.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        reports = rotate_keys(is_dry_run=dry_run)
        text = _as_json(reports) if options["json"] else "\n".join(_in_words(reports))
        self.stdout.write(text)
        if any(report.undecryptable for report in reports):
            sys.exit(1)


def _as_json(reports: Sequence[ColumnReport]) -> str:
    columns = [asdict(report) for report in reports]
    return json.dumps({"columns": columns, "left": _left(reports)})


def _in_words(reports: Sequence[ColumnReport]) -> Iterator[str]:
    for report in reports:
        yield (
            f"{report.column}: {report.rows} rows, {report.old} by an older key, "
            f"{report.rotated} encrypted anew"
        )
        if report.undecryptable:
            yield f"  no key decrypts: {', '.join(report.undecryptable)}"
    if left := _left(reports):
        yield f"{left} rows may still need an older key: run this (again)"
    else:
        yield "No row needs an older key: all keys but the first can be removed"


def _left(reports: Sequence[ColumnReport]) -> int:
    return sum(report.left for report in reports)
