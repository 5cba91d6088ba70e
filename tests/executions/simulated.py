"""Triggers under a clock that only the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from executions.pipeline import match
from executions.pipeline.drain import drain
from executions.services import ledger, run
from executions.services.ledger import Ledger, read_ledger
from executions.services.ledger_entries import LedgerEntry
from tests.factories import make_trigger
from triggers.models import Trigger
from triggers.services import claim, lifecycle, stats
from triggers.services.claim import claim_due

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
READERS = (lifecycle, stats, claim, match, ledger, run)


class SimulatedClock:
    """Replaces the database's clock; its time changes only when a test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        for module in READERS:
            monkeypatch.setattr(module, "database_now", lambda: self.now)

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)

    def claim(self) -> None:
        """Claim all that is due, as a clock does."""
        while claim_due(now=self.now):
            pass

    def run(self, *, minutes: int) -> None:
        """Claim and drain each minute."""
        for _ in range(minutes):
            self.move(minutes=1)
            self.claim()
        drain()


def make_minutely(**fields: Any) -> Trigger:
    """A trigger that is due every minute."""
    return make_trigger(
        **{
            "trigger_type": "cron",
            "schedule_type": "cron",
            "cron_expression": "* * * * *",
            **fields,
        }
    )


def audit(trigger: Trigger, *, since: datetime = NOON, **options: Any) -> Ledger:
    until = options.pop("until", NOON + timedelta(days=3650))
    return read_ledger(trigger_id=trigger.pk, since=since, until=until, **options)


def summary(found: Ledger) -> list[tuple[int, str, str]]:
    """Return the minute after noon, the status and the reason of each entry."""
    return [(_minute(e), e.status.value, e.reason) for e in found.entries]


def _minute(entry: LedgerEntry) -> int:
    return round((entry.scheduled_for - NOON) / MINUTE)
