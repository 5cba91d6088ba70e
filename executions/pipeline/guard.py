"""Decides which runs must not start, before any condition is evaluated.

The lateness of a scheduled event is checked here again, although the clock has checked
it: the workers may have been down after the clock recorded the event. The result is
the same as if the clock had been down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max

from common.database.sql import database_now
from events.models import Event, EventSource
from executions.models import Reason
from executions.pipeline.new_execution import Pair
from triggers.models import Catchup, Trigger
from triggers.services.scheduling import jitter_of

MAX_DEPTH = 8

# The type of an event for a past occurrence that a person requested.
BACKFILL = "schedule.backfill"


def reason_to_skip(pair: Pair, *, is_missed: bool) -> Reason | None:
    """Return why a run must not start; None if its conditions decide."""
    trigger, event = pair.trigger, pair.event
    if event.type == "schedule.missed":
        return Reason.MISSED
    if not is_requested(event):
        if not was_active(trigger, event):
            return Reason.INACTIVE
        if trigger.is_paused(event.received_at):
            return Reason.PAUSED
    if is_missed:
        return Reason.MISSED
    if not trigger.agent.is_active:
        return Reason.AGENT_INACTIVE
    if event.depth > MAX_DEPTH:
        return Reason.LOOP
    return None


def was_active(trigger: Trigger, event: Event) -> bool:
    """Return whether a trigger is active and was active when the event arrived."""
    since = trigger.active_since
    return trigger.can_run and since is not None and since <= event.received_at


def is_requested(event: Event) -> bool:
    """Return whether a person requested this run.

    Such a run starts although the trigger is disabled or paused, or the run is late.
    """
    return event.source == EventSource.MANUAL or event.type == BACKFILL


def find_misfires(pairs: Sequence[Pair]) -> set[UUID]:
    """Return the scheduled events that waited longer than their policy allows."""
    if not any(p.event.source == EventSource.SCHEDULE for p in pairs):
        return set()
    now = database_now()
    late = [pair for pair in pairs if _is_late(pair, now)]
    latest = _latest_of(pair for pair in late if pair.trigger.catchup == Catchup.LATEST)
    return {pair.event.id for pair in late if _is_missed(pair, latest, now)}


def _is_late(pair: Pair, now: datetime) -> bool:
    """Return whether more than the grace has passed since an occurrence had to run.

    Without catch-up an occurrence had to run when it was due. With catch-up it had to
    run when the clock recorded it, because the clock may have caught it up.
    """
    event = pair.event
    if event.source != EventSource.SCHEDULE or event.scheduled_for is None:
        return False
    if event.replay_of is not None or is_requested(event):
        return False
    had_to_run_at = event.received_at
    if pair.trigger.catchup == Catchup.NONE:
        had_to_run_at = event.scheduled_for + jitter_of(pair.trigger)
    return now - had_to_run_at > timedelta(seconds=pair.trigger.misfire_grace_seconds)


def _is_missed(pair: Pair, latest: Mapping[UUID, datetime], now: datetime) -> bool:
    trigger, due = pair.trigger, pair.event.scheduled_for
    assert due is not None  # noqa: S101 - _is_late checks it
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
    """Return the latest recorded occurrence of each trigger, processed or not."""
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
