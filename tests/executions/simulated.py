"""A trigger's life under a clock that only the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from executions.pipeline import misfire
from executions.pipeline.drain import drain
from executions.services import backfill
from executions.services.audit import ledger
from executions.services.audit.ledger import Ledger, audit_trigger
from executions.services.audit.verdict import Entry
from tests.factories import make_trigger
from triggers.models import Trigger
from triggers.services import claim, lifecycle, stats
from triggers.services.claim import claim_due

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
READERS = (lifecycle, stats, claim, misfire, ledger, backfill)


class SimulatedClock:
    """Stands still until it is moved; all that asks the database's clock is told it."""

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
    """A trigger of every minute."""
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
    return audit_trigger(trigger_id=trigger.pk, since=since, until=until, **options)


def told(found: Ledger) -> list[tuple[int, str, str]]:
    """Say of each entry its minute after noon, its status and reason."""
    return [(_minute(e), e.status.value, e.reason) for e in found.entries]


def _minute(entry: Entry) -> int:
    return round((entry.scheduled_for - NOON) / MINUTE)
