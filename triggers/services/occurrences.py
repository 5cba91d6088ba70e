"""Occurrences of one trigger, as a claim or a person takes them, and their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, dedupe_key
from triggers.models import Catchup, Trigger
from triggers.schedules import Schedule
from triggers.services.scheduling import jitter_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A range that does not run; where counting was bounded there were more."""

    first: datetime
    last: datetime
    count: int
    is_bounded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one due trigger came to: the occurrences to run, those missed, the next."""

    trigger: Trigger
    fired: Sequence[datetime]
    missed: Missed | None
    next_nominal: datetime | None

    @property
    def size(self) -> int:
        return len(self.fired) + self._missed_count

    @property
    def cost(self) -> int:
        """What it takes of a claim's limit: counting costs a tenth of recording."""
        return max(1, len(self.fired) + self._missed_count // 10)

    @property
    def _missed_count(self) -> int:
        return self.missed.count if self.missed else 0


def events_of(claim: Claim) -> list[NewEvent]:
    """Return an event per occurrence that runs, and one for those missed."""
    events = [_occurrence(claim.trigger, at, "schedule.due") for at in claim.fired]
    if claim.missed is not None:
        events.append(_missed(claim.trigger, claim.missed))
    return events


def backfill_events(
    trigger: Trigger, instants: Iterable[datetime], *, overlap: str | None
) -> list[NewEvent]:
    """Return an event per past occurrence that a person asks for.

    Under the key that the clock uses, too: an instant has one event whoever records it.
    """
    options = dump_json({"overlap": overlap}) if overlap else None
    return [
        _occurrence(trigger, at, "schedule.backfill", options=options)
        for at in instants
    ]


def _occurrence(
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


def _missed(trigger: Trigger, missed: Missed) -> NewEvent:
    first, last = missed.first.isoformat(), missed.last.isoformat()
    body: dict[str, object] = {"count": missed.count, "from": first, "to": last}
    if missed.is_bounded:
        body["at_least"] = True
    key = f"missed {first} {last}"
    return NewEvent(
        type="schedule.missed",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        subject=trigger.subject,
        body=dump_json(body).encode(),
        dedupe_key=dedupe_key(EventSource.SCHEDULE, trigger.id, key),
    )


MAX_OCCURRENCES = 1000
_INSTANT = timedelta(microseconds=1)


def judge(trigger: Trigger, schedule: Schedule, now: datetime, budget: int) -> Claim:
    """Decide by the catch-up policy; at most `budget` run, the next claim goes on."""
    until = now - jitter_of(trigger)
    first = trigger.next_scheduled_for or until
    run_from = _run_from(trigger, schedule, first, until)
    start = first if first >= run_from else schedule.next_after(run_from - _INSTANT)
    most = _most(trigger, budget)
    runs = _walk(schedule, start, until, most + 1)
    fired = runs[:most]
    cut = runs[most] if len(runs) > most else schedule.next_after(until)
    return Claim(
        trigger=trigger,
        fired=fired,
        missed=_missed(schedule, first, run_from),
        next_nominal=None if _is_last(trigger, len(fired)) else cut,
    )


def _run_from(
    trigger: Trigger, schedule: Schedule, first: datetime, until: datetime
) -> datetime:
    """Return the instant from which on occurrences run; earlier ones are missed."""
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
    """Return the last occurrence before `end`, `first` being one."""
    low, high = first, end
    while low < high:
        middle = low + (high - low) // 2
        at = schedule.next_after(middle)
        if at is None or at >= end:
            high = middle
        else:
            low = at
    return low


def _missed(schedule: Schedule, first: datetime, end: datetime) -> Missed | None:
    if first >= end:
        return None
    last = _last_before(schedule, first, end)
    counted = _walk(schedule, first, last, MAX_OCCURRENCES)
    return Missed(
        first=first, last=last, count=len(counted), is_bounded=counted[-1] < last
    )


def _walk(
    schedule: Schedule, at: datetime | None, until: datetime, most: int
) -> list[datetime]:
    """Return the occurrences from `at` on, not more than `most`."""
    found: list[datetime] = []
    while at is not None and at <= until and len(found) < most:
        found.append(at)
        at = schedule.next_after(at)
    return found


def _most(trigger: Trigger, budget: int) -> int:
    if trigger.max_runs is None:
        return budget
    return min(budget, max(0, trigger.max_runs - trigger.scheduled_runs))


def _is_last(trigger: Trigger, fired: int) -> bool:
    if trigger.max_runs is None:
        return False
    return trigger.scheduled_runs + fired >= trigger.max_runs
