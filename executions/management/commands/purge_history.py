from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from common.database.errors import is_unavailable
from executions.services.retention.purge import Purge, purge_history, summarize
from executions.services.retention.state import PurgeRuns


class Command(BaseCommand):
    help = (
        "Delete history that is older than HISTORY_RETENTION_DAYS and similar settings."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="delete nothing, only count"
        )
        parser.add_argument("--json", action="store_true", help="answer as JSON")
        parser.add_argument(
            "--now",
            action="store_true",
            help="start although the 7 days after an upgrade are not over",
        )

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        try:
            purge = purge_history(is_dry_run=dry_run, is_waiting_skipped=options["now"])
        except PurgeRuns as error:
            raise CommandError(error.detail) from error
        except Error as error:
            if not is_unavailable(error):
                raise
            text = f"Stopped: {error}. Deleted rows stay deleted. Run the command again"
            raise CommandError(text) from error
        text = _as_json(purge) if options["json"] else _summary(purge)
        self.stdout.write(text)


def _summary(purge: Purge) -> str:
    start = f"{purge.starts_at:%Y-%m-%d %H:%M} UTC" if purge.starts_at else ""
    if purge.is_dry_run:
        lines = [
            f"{tally.kind}: {tally.rows}"
            + (f", from {tally.oldest.isoformat()}" if tally.oldest else "")
            for tally in purge.tallies.values()
        ]
        waits = f"; the first one waits until {start}" if start else ""
        return "\n".join([*lines, f"A purge would delete {summarize(purge)}{waits}"])
    if start:
        return (
            f"Deleted nothing: the first purge waits until {start}. Use --now to start"
        )
    return f"Deleted {summarize(purge)}"


def _as_json(purge: Purge) -> str:
    def iso(moment: Any) -> str | None:
        return None if moment is None else moment.isoformat()

    counts = {
        kind: {"rows": tally.rows, "oldest": iso(tally.oldest)}
        for kind, tally in purge.tallies.items()
    }
    return json.dumps(
        {
            "dry_run": purge.is_dry_run,
            "starts_at": iso(purge.starts_at),
            "before": {
                kind: iso(getattr(purge.ages, kind))
                for kind in ("history", "bodies", "traces", "rejections", "keys")
            },
            "counts": counts,
        }
    )
