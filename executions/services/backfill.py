"""Runs occurrences of the past that never got an event, as a person asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models.expressions import RawSQL

from common.database.sql import database_now
from common.errors import Fault, InvalidInput
from events.models import Event, EventSource
from events.services.record import record_events
from executions.services.retention import history_horizon
from triggers.models import Trigger
from triggers.schedules import occurrences
from triggers.services.lifecycle import TriggerNotFound
from triggers.services.occurrences import backfill_events
from triggers.services.scheduling import jitter_of, schedule_of

MAX_COUNTED = 10_000
_INSTANT = timedelta(microseconds=1)


class NoSchedule(InvalidInput):
    """The trigger has no schedule."""

    code = "no_schedule"

    def __init__(self, trigger: Trigger) -> None:
        text = (
            "Only a trigger with a schedule has past occurrences to run; its "
            f"trigger_type is '{trigger.trigger_type}'. To run it once, now, "
            f"POST to /api/v1/triggers/{trigger.id}/run"
        )
        super().__init__(text, faults=[Fault("/trigger_type", text)])


class HistoryPurged(InvalidInput):
    """The history of this range is purged, so what ran is not known."""

    code = "history_purged"

    def __init__(self, horizon: datetime) -> None:
        text = (
            f"History before {horizon.isoformat()} is purged (HISTORY_RETENTION_DAYS), "
            "so Tickhook does not know what ran before. Choose a later start"
        )
        super().__init__(text, faults=[Fault("/from", text)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What a backfill came to, or would.

    Of the occurrences in the range, counted up to 10,000, some had an event already,
    some were recorded, and the rest is left out: `next_from` goes on there.
    """

    since: datetime
    until: datetime
    occurrences: int
    at_least: bool
    with_event: int
    recorded: int
    next_from: datetime | None
    dry_run: bool

    @property
    def left_out(self) -> int:
        return self.occurrences - self.with_event - self.recorded


def backfill_trigger(
    *,
    trigger_id: UUID,
    since: datetime,
    until: datetime | None = None,
    overlap: str | None = None,
    limit: int = 100,
    dry_run: bool = False,
) -> Backfill:
    """Record an event for past occurrences that have none, oldest first.

    They are those of the schedule as it is now; `max_runs` does not count them. Works
    on disabled and paused triggers. What a clock is still to claim is left to it.
    Raises TriggerNotFound, NoSchedule, InvalidSchedule, HistoryPurged.
    """
    trigger, now = _find(trigger_id), database_now()
    _require_history(trigger, since, now)
    until = min(until or now, now)
    found = _past_occurrences(trigger, since, min(until, _settled(trigger, now)))
    counted, beyond = found[:MAX_COUNTED], found[MAX_COUNTED:]
    known = _with_event(trigger, counted)
    free = [at for at in counted if at not in known]
    wanted, left = free[:limit], free[limit:]
    recorded = len(wanted)
    if not dry_run:
        events = backfill_events(trigger, wanted, overlap=overlap)
        recorded = len(record_events(events))
    return Backfill(
        since=since,
        until=until,
        occurrences=len(counted),
        at_least=bool(beyond),
        with_event=len(known) + len(wanted) - recorded,
        recorded=recorded,
        next_from=next(iter([*left, *beyond]), None),
        dry_run=dry_run,
    )


def _find(trigger_id: UUID) -> Trigger:
    trigger = Trigger.objects.present().filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    if not trigger.has_schedule:
        raise NoSchedule(trigger)
    return trigger


def _require_history(trigger: Trigger, since: datetime, now: datetime) -> None:
    """Raise HistoryPurged if events of the range may have been deleted."""
    horizon = history_horizon(now)
    if horizon is not None and max(since, trigger.created_at) < horizon:
        raise HistoryPurged(horizon)


def _settled(trigger: Trigger, now: datetime) -> datetime:
    """Return the last instant that is due, and not a clock's to claim."""
    due, unclaimed = now - jitter_of(trigger), trigger.next_scheduled_for
    if not trigger.is_active or unclaimed is None:
        return due
    return min(due, unclaimed - _INSTANT)


def _past_occurrences(
    trigger: Trigger, since: datetime, until: datetime
) -> list[datetime]:
    """Return what has come due of a range; one more than is counted."""
    schedule = schedule_of(trigger)
    return occurrences(schedule, since - _INSTANT, until, limit=MAX_COUNTED + 1)


def _with_event(
    trigger: Trigger, instants: Sequence[datetime]
) -> Collection[datetime | None]:
    wanted = RawSQL("SELECT unnest(%s::timestamptz[])", [list(instants)])
    events = Event.objects.filter(
        trigger_id=trigger.id, source=EventSource.SCHEDULE, scheduled_for__in=wanted
    )
    return set(events.values_list("scheduled_for", flat=True))
