from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from common.database.sql import database_now
from common.snapshots import SnapshotHolder, find_snapshot_holder
from events.models import Inbox
from triggers.clocks.base import get_clock
from triggers.models import Trigger

MAX_COUNTED = 1000
OVERDUE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the clock ticks, and what piles up; counting stops at 1,000.

    `snapshot_holder` is a session or slot that slows the database down, if any.
    """

    is_healthy: bool
    clock: str
    overdue_triggers: int
    waiting_events: int
    snapshot_holder: SnapshotHolder | None

    @property
    def status(self) -> str:
        return "healthy" if self.is_healthy else "unhealthy"


def check_health() -> Health:
    overdue = Trigger.objects.due(database_now() - OVERDUE_AFTER)
    return Health(
        is_healthy=get_clock().is_healthy(),
        clock=settings.TICKHOOK_CLOCK,
        overdue_triggers=overdue.order_by("next_run_time")[:MAX_COUNTED].count(),
        waiting_events=Inbox.objects.order_by("pk")[:MAX_COUNTED].count(),
        snapshot_holder=find_snapshot_holder(),
    )
