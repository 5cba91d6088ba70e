"""Judges lateness again when a scheduled event is drained.

The clock recorded it in time, but the workers were away: what comes of it is the same
as if the clock had been.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max

from common.database.sql import database_now
from events.models import Event, EventSource
from executions.pipeline.matching import BACKFILL, Pair, is_asked_for
from triggers.models import Catchup
from triggers.services.scheduling import jitter_of


def find_misfires(pairs: Sequence[Pair]) -> set[UUID]:
    """Return the scheduled events that waited longer than their policy allows."""
    if not any(p.event.source == EventSource.SCHEDULE for p in pairs):
        return set()
    now = database_now()
    late = [pair for pair in pairs if _has_waited(pair, now)]
    latest = _latest_of(pair for pair in late if pair.trigger.catchup == Catchup.LATEST)
    return {pair.event.id for pair in late if _is_missed(pair, latest, now)}


def _has_waited(pair: Pair, now: datetime) -> bool:
    """Whether more than the grace has passed since an occurrence was to run.

    What is never caught up was to run when it was due; the rest when the clock, which
    may have caught it up, recorded it.
    """
    event = pair.event
    if event.source != EventSource.SCHEDULE or event.scheduled_for is None:
        return False
    if event.replay_of is not None or is_asked_for(event):
        return False
    was_to_run_at = event.received_at
    if pair.trigger.catchup == Catchup.NONE:
        was_to_run_at = event.scheduled_for + jitter_of(pair.trigger)
    return now - was_to_run_at > timedelta(seconds=pair.trigger.misfire_grace_seconds)


def _is_missed(pair: Pair, latest: Mapping[UUID, datetime], now: datetime) -> bool:
    trigger, due = pair.trigger, pair.event.scheduled_for
    assert due is not None  # noqa: S101 - _has_waited saw to it
    window = timedelta(seconds=trigger.catchup_window_seconds)
    if now - due - jitter_of(trigger) > window:
        return True
    match trigger.catchup:
        case Catchup.ALL:
            return False
        case Catchup.LATEST:
            return due < latest[trigger.id]
    return True


def _latest_of(pairs: Iterable[Pair]) -> dict[UUID, datetime]:
    """Return the latest occurrence recorded of each trigger, worked or not."""
    waiting = list(pairs)
    if not waiting:
        return {}
    occurrences = Event.objects.filter(
        trigger_id__in={pair.trigger.id for pair in waiting},
        id__gte=min(pair.event.id for pair in waiting),
        source=EventSource.SCHEDULE,
        scheduled_for__isnull=False,
    ).exclude(type=BACKFILL)
    grouped = occurrences.order_by().values("trigger_id")
    rows = grouped.annotate(latest=Max("scheduled_for"))
    return {row["trigger_id"]: row["latest"] for row in rows if row["trigger_id"]}
