"""From a trigger to its schedule, its next run, its due occurrences and their events.

The work of a claim is bounded, however long no clock ran: the occurrences that run are
listed up to a budget, the missed ones are counted up to 1,000, and the last missed one
is found by bisection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, dedupe_key
from triggers.models import Catchup, ScheduleType, Trigger
from triggers.schedules import Schedule, build_schedule

# The types of a schedule's events: an occurrence that runs, a range of missed ones, and
# a past occurrence that a person requested.
SCHEDULE_DUE = "schedule.due"
SCHEDULE_MISSED = "schedule.missed"
SCHEDULE_BACKFILL = "schedule.backfill"

MAX_OCCURRENCES = 1000
_INSTANT = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A range of occurrences that do not run.

    If `is_bounded`, counting stopped early and `count` is a lower bound.
    """

    first: datetime
    last: datetime
    count: int
    is_bounded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The due occurrences of a trigger: those that run, missed ones, the next one."""

    trigger: Trigger
    fired: Sequence[datetime]
    missed: Missed | None
    next_nominal: datetime | None

    @property
    def size(self) -> int:
        return len(self.fired) + (self.missed.count if self.missed else 0)

    @property
    def cost(self) -> int:
        """Its share of a claim's limit; counting costs a tenth of recording."""
        missed_count = self.missed.count if self.missed else 0
        return max(1, len(self.fired) + missed_count // 10)


def schedule_of(trigger: Trigger, *, is_stored: bool = True) -> Schedule:
    """Return a trigger's schedule, cached by its fields; raise InvalidSchedule.

    With `is_stored`, an expression that only earlier releases accepted is valid, too.
    """
    # An interval and every second week count from their anchor. Without it, triggers
    # share the others.
    is_anchored = (
        trigger.schedule_type == ScheduleType.INTERVAL
        or trigger.schedule_config.get("every") is not None
    )
    return _build(
        trigger.schedule_type or "",
        json.dumps(trigger.schedule_config),
        trigger.cron_expression,
        trigger.timezone,
        trigger.start_at,
        trigger.end_at,
        trigger.schedule_anchor if is_anchored else _EPOCH,
        trigger.dst_gap,
        trigger.dst_overlap,
        is_stored,
    )


def plan_next(trigger: Trigger, *, after: datetime) -> None:
    """Set the instants of the next run later than `after`; null if there is none.

    Occurrences that come due before the end of a pause are left out.
    """
    nominal, jitter = None, jitter_of(trigger)
    if trigger.paused_until is not None and trigger.paused_until > after:
        after = max(after, trigger.paused_until - jitter - _INSTANT)
    if trigger.can_run and trigger.has_schedule and not is_spent(trigger):
        nominal = schedule_of(trigger).next_after(after)
    if nominal is not None and nominal > _END_OF_TIME - jitter:
        nominal = None
    trigger.next_scheduled_for = nominal
    trigger.next_run_time = nominal + jitter if nominal else None


def jitter_of(trigger: Trigger) -> timedelta:
    """Return the delay of a trigger's runs: fixed, between 0 and `jitter_seconds`."""
    if not trigger.jitter_seconds:
        return timedelta(0)
    milliseconds = trigger.id.int % (trigger.jitter_seconds * 1000)
    return timedelta(milliseconds=milliseconds)


def is_spent(trigger: Trigger) -> bool:
    """Return whether a schedule has reached `max_runs`."""
    return trigger.max_runs is not None and trigger.scheduled_runs >= trigger.max_runs


def plan_claim(
    trigger: Trigger, schedule: Schedule, now: datetime, budget: int
) -> Claim:
    """Apply the catch-up policy to what is due at `now`.

    At most `budget` occurrences run; the next claim continues with the rest.
    """
    until = now - jitter_of(trigger)
    first = trigger.next_scheduled_for or until
    run_from = _run_from(trigger, schedule, first, until)
    start = first if first >= run_from else schedule.next_after(run_from - _INSTANT)
    most, runs_left = budget, None
    if trigger.max_runs is not None:
        runs_left = max(0, trigger.max_runs - trigger.scheduled_runs)
        most = min(budget, runs_left)
    runs = _list_from(schedule, start, until, most + 1)
    fired = runs[:most]
    next_nominal = runs[most] if len(runs) > most else schedule.next_after(until)
    if runs_left is not None and len(fired) >= runs_left:
        next_nominal = None
    return Claim(
        trigger=trigger,
        fired=fired,
        missed=_count_missed(schedule, first, run_from),
        next_nominal=next_nominal,
    )


def events_of(claim: Claim) -> list[NewEvent]:
    """Return one event per occurrence that runs, and one for all missed ones."""
    events = [_due_event(claim.trigger, at, SCHEDULE_DUE) for at in claim.fired]
    if claim.missed is not None:
        events.append(_missed_event(claim.trigger, claim.missed))
    return events


def backfill_events(
    trigger: Trigger, instants: Iterable[datetime], *, overlap: str | None
) -> list[NewEvent]:
    """Return one event per past occurrence that a person wants to run.

    They use the clock's dedupe keys: an occurrence has one event, whether a clock or a
    backfill records it.
    """
    options = dump_json({"overlap": overlap}) if overlap else None
    return [
        _due_event(trigger, at, SCHEDULE_BACKFILL, options=options) for at in instants
    ]


def _run_from(
    trigger: Trigger, schedule: Schedule, first: datetime, until: datetime
) -> datetime:
    """Return the instant from which occurrences run; the earlier ones are missed."""
    on_time = until - timedelta(seconds=trigger.misfire_grace_seconds)
    if first >= on_time:
        return on_time
    window = until - timedelta(seconds=trigger.catchup_window_seconds)
    if trigger.catchup == Catchup.ALL:
        return min(window, on_time)
    if trigger.catchup == Catchup.LATEST:
        latest = _last_before(schedule, first, until + _INSTANT)
        if window <= latest < on_time:
            return latest
    return on_time


def _last_before(schedule: Schedule, first: datetime, end: datetime) -> datetime:
    """Return the last occurrence before `end`; `first` is an earlier one."""
    low, high = first, end
    while low < high:
        middle = low + (high - low) // 2
        at = schedule.next_after(middle)
        if at is None or at >= end:
            high = middle
        else:
            low = at
    return low


def _count_missed(schedule: Schedule, first: datetime, end: datetime) -> Missed | None:
    """Count the occurrences from `first` on that are earlier than `end`."""
    if first >= end:
        return None
    last = _last_before(schedule, first, end)
    counted = _list_from(schedule, first, last, MAX_OCCURRENCES)
    return Missed(
        first=first, last=last, count=len(counted), is_bounded=counted[-1] < last
    )


def _list_from(
    schedule: Schedule, at: datetime | None, until: datetime, most: int
) -> list[datetime]:
    """Return at most `most` occurrences, of which `at` is the first."""
    found: list[datetime] = []
    while at is not None and at <= until and len(found) < most:
        found.append(at)
        at = schedule.next_after(at)
    return found


def _due_event(
    trigger: Trigger,
    at: datetime,
    event_type: str,
    *,
    options: str | None = None,
) -> NewEvent:
    body = {
        "trigger_type": "schedule",
        "schedule_type": trigger.schedule_type,
        "scheduled_time": at.isoformat(),
    }
    return NewEvent(
        type=event_type,
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        subject=trigger.subject,
        scheduled_for=at,
        body=dump_json(body).encode(),
        options=options,
        dedupe_key=dedupe_key(EventSource.SCHEDULE, trigger.id, at.isoformat()),
    )


def _missed_event(trigger: Trigger, missed: Missed) -> NewEvent:
    first, last = missed.first.isoformat(), missed.last.isoformat()
    body: dict[str, object] = {"count": missed.count, "from": first, "to": last}
    if missed.is_bounded:
        body["at_least"] = True
    key = f"missed {first} {last}"
    return NewEvent(
        type=SCHEDULE_MISSED,
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        subject=trigger.subject,
        body=dump_json(body).encode(),
        dedupe_key=dedupe_key(EventSource.SCHEDULE, trigger.id, key),
    )


@lru_cache(maxsize=4096)
def _build(
    schedule_type: str,
    config: str,
    cron_expression: str | None,
    timezone: str,
    start_at: datetime | None,
    end_at: datetime | None,
    anchor: datetime,
    dst_gap: str,
    dst_overlap: str,
    is_stored: bool,
) -> Schedule:
    return build_schedule(
        schedule_type,
        config=json.loads(config),
        cron_expression=cron_expression,
        timezone=timezone,
        start_at=start_at,
        end_at=end_at,
        anchor=anchor,
        dst_gap=dst_gap,
        dst_overlap=dst_overlap,
        is_stored=is_stored,
    )
