"""Runs that a person requests: one now, or a backfill of past occurrences."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models.expressions import RawSQL
from django.utils import timezone

from common.database.sql import database_now
from common.errors import Fault, InvalidInput, RateLimited
from common.fields import dump_json
from events.models import Event, EventSource
from events.services.record import NewEvent, record_events
from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.admit import used_this_hour
from executions.services.retention.state import history_horizon
from triggers.models import Trigger
from triggers.schedules import occurrences
from triggers.services.lifecycle import TriggerNotFound
from triggers.services.scheduling import backfill_events, jitter_of, schedule_of

HOUR = timedelta(hours=1)
MAX_COUNTED = 10_000
_INSTANT = timedelta(microseconds=1)


class HourlyLimitReached(RateLimited):
    """The trigger has reached its limit of executions per hour."""

    code = "hourly_limit_reached"


def find_trigger(trigger_id: UUID) -> Trigger:
    """Return a trigger that is not deleted; raise TriggerNotFound."""
    trigger = Trigger.objects.present().filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    return trigger


def run_trigger(
    *,
    trigger_id: UUID,
    payload: Mapping[str, object] | None = None,
    parameters: Mapping[str, object] | None = None,
    skip_conditions: bool = False,
) -> UUID:
    """Record an event that runs a trigger now; return the event's id.

    Works on disabled triggers. Raises TriggerNotFound, HourlyLimitReached.
    """
    trigger = find_trigger(trigger_id)
    _check_limit(trigger)
    event = NewEvent(
        type="trigger.run",
        source=EventSource.MANUAL,
        subject=trigger.subject,
        trigger_id=trigger.id,
        body=dump_json(dict(payload or {})).encode(),
        options=dump_json(
            {"parameters": dict(parameters or {}), "skip_conditions": skip_conditions}
        ),
    )
    record_events([event])
    return event.id


def _check_limit(trigger: Trigger) -> None:
    limit = trigger.max_executions_per_hour
    if limit is None or used_this_hour([trigger])[trigger.id] < limit:
        return
    raise HourlyLimitReached(
        f"Trigger '{trigger.name}' has used its limit of {limit} executions per hour "
        "(max_executions_per_hour). Try again later, or raise the limit",
        retry_after_seconds=_seconds_until_allowed(trigger, limit),
    )


def _seconds_until_allowed(trigger: Trigger, limit: int) -> int:
    now = timezone.now()
    counted = TriggerExecution.objects.filter(
        trigger=trigger, executed_at__gt=now - HOUR
    ).exclude(status=ExecutionStatus.SKIPPED)
    newest_first = counted.order_by("-executed_at").values_list(
        "executed_at", flat=True
    )
    # The limit allows a run again when this one leaves the window.
    oldest = newest_first[limit - 1 : limit].first()
    return max(1, round((oldest + HOUR - now).total_seconds())) if oldest else 1


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
    """The history of the range is purged, so past runs in it are unknown."""

    code = "history_purged"

    def __init__(self, horizon: datetime) -> None:
        text = (
            f"History before {horizon.isoformat()} is purged (HISTORY_RETENTION_DAYS), "
            "so Tickhook does not know what ran before. Choose a later start"
        )
        super().__init__(text, faults=[Fault("/from", text)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """The result of a backfill, or of its dry run.

    Of the occurrences in the range (counted up to 10,000), some had an event already
    and some were recorded. The rest is left out; `next_from` is the first of these.
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

    Occurrences are those of the current schedule; `max_runs` does not count them. Works
    on disabled and paused triggers. Occurrences that a clock has yet to claim are left
    to the clock.
    Raises TriggerNotFound, NoSchedule, InvalidSchedule, HistoryPurged.
    """
    trigger, now = find_trigger(trigger_id), database_now()
    if not trigger.has_schedule:
        raise NoSchedule(trigger)
    horizon = history_horizon(now)
    if horizon is not None and max(since, trigger.created_at) < horizon:
        # Events of the range may have been deleted.
        raise HistoryPurged(horizon)
    until = min(until or now, now)
    last = min(until, _last_claimed(trigger, now))
    schedule = schedule_of(trigger)
    found = occurrences(schedule, since - _INSTANT, last, limit=MAX_COUNTED + 1)
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


def _last_claimed(trigger: Trigger, now: datetime) -> datetime:
    """Return the last instant that is due and that no clock has yet to claim."""
    due, unclaimed = now - jitter_of(trigger), trigger.next_scheduled_for
    if not trigger.is_active or unclaimed is None:
        return due
    return min(due, unclaimed - _INSTANT)


def _with_event(
    trigger: Trigger, instants: Sequence[datetime]
) -> Collection[datetime | None]:
    wanted = RawSQL("SELECT unnest(%s::timestamptz[])", [list(instants)])
    events = Event.objects.filter(
        trigger_id=trigger.id, source=EventSource.SCHEDULE, scheduled_for__in=wanted
    )
    return set(events.values_list("scheduled_for", flat=True))
