"""Before which moment the rows of each kind are deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from triggers.models import Trigger

# A ledger that is read while the purge runs still finds what it is to account for, and
# ids come from the clocks of hosts, which may differ from the database's.
MARGIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """The moment before which each kind is deleted; None if its age does not matter."""

    now: datetime
    history: datetime | None
    bodies: datetime | None
    traces: datetime | None
    rejections: datetime | None
    keys: datetime | None


def read_ages(now: datetime) -> Ages:
    return Ages(
        now=now,
        history=_before(now, settings.HISTORY_RETENTION_DAYS),
        bodies=_before(now, settings.EVENT_BODY_RETENTION_DAYS),
        traces=_before(now, settings.TRACE_RETENTION_DAYS),
        rejections=_before(now, settings.REJECTION_RETENTION_DAYS),
        keys=_keys_before(now),
    )


def _before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days) - MARGIN


def _keys_before(now: datetime) -> datetime | None:
    """Return how old a key must be; a clock that catches up relies on younger ones."""
    before = _before(now, settings.TICKHOOK_KEY_RETENTION_DAYS)
    longest = Trigger.objects.aggregate(most=Max("catchup_window_seconds"))["most"]
    if before is None or longest is None:
        return before
    try:
        return min(before, now - timedelta(seconds=longest) - MARGIN)
    except OverflowError:  # a window that reaches back before the year 1
        return None
