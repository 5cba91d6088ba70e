"""Decides which occurrences of a due trigger run and which were missed.

The work is bounded however long nobody was there: what runs is walked forward up to a
budget, what was missed is counted up to 1,000, and its end is found by halving.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from triggers.models import Catchup, Trigger
from triggers.schedules import Schedule
from triggers.services.occurrences import Claim, Missed
from triggers.services.scheduling import jitter_of

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
