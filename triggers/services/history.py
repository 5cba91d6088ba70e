"""Which occurrences a trigger's schedule had, by all the versions that there were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.db.models import Q

from triggers.models import ScheduleVersion, Trigger
from triggers.schedules import InvalidSchedule
from triggers.services.scheduling import jitter_of, schedule_of
from triggers.services.versions import trigger_as_of

MAX_VERSIONS = 1000
_INSTANT = timedelta(microseconds=1)
_FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


class Hold(StrEnum):
    """Why an occurrence of the schedule was not to run."""

    INACTIVE = "inactive"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One occurrence: when it was due, and what kept it from running."""

    at: datetime
    due_at: datetime
    hold: Hold | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One version: what its trigger had later than `after` and up to `until`."""

    trigger: Trigger
    after: datetime
    until: datetime
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The versions of a range; `until` is its end, or where reading was bounded."""

    spans: Sequence[Span]
    until: datetime

    def occurrences(self, since: datetime) -> Iterator[Planned]:
        """Yield what was planned from `since` on, in order."""
        for span in self.spans:
            yield from _walk(span, since, min(span.until, self.until))

    def faults(self) -> Iterator[str]:
        """Say of each version that can't be computed why not."""
        for span in self.spans:
            try:
                schedule_of(span.trigger)
            except InvalidSchedule as invalid:
                yield f"The schedule after {span.after.isoformat()}: {invalid.detail}"

    def least_jitter(self) -> timedelta:
        found = (jitter_of(span.trigger) for span in self.spans)
        return min(found, default=timedelta(0))


def read_history(trigger: Trigger, since: datetime, until: datetime) -> History:
    """Read the versions that had instants of a range: 1,000 of them at most."""
    rows = ScheduleVersion.objects.filter(trigger=trigger).filter(
        Q(valid_to=None) | Q(valid_to__gte=since)
    )
    versions = list(rows.order_by("valid_from", "id")[: MAX_VERSIONS + 1])
    runs = [version.scheduled_runs for version in versions[1:]]
    spans = [
        _span(version, trigger, runs_at_end)
        for version, runs_at_end in zip(
            versions, [*runs, trigger.scheduled_runs], strict=False
        )
    ]
    if len(versions) > MAX_VERSIONS:
        until = min(until, spans.pop().after)
    return History(spans=spans, until=until)


def _span(version: ScheduleVersion, trigger: Trigger, runs_at_end: int | None) -> Span:
    """Bound a version: one that ran as often as it might ends with its last run.

    So does one of which that is not known; without a last run it has no instants.
    """
    until, last_run = version.valid_to, version.last_scheduled_for
    if until is None:
        until, last_run = _FOREVER, trigger.last_scheduled_for
    old = trigger_as_of(version)
    if _may_be_spent(old, runs_at_end):
        until = min(until, last_run or version.valid_from)
    return Span(
        trigger=old,
        after=version.valid_from,
        until=until,
        is_active=version.is_active,
    )


def _may_be_spent(old: Trigger, runs_at_end: int | None) -> bool:
    if old.max_runs is None:
        return False
    return runs_at_end is None or runs_at_end >= old.max_runs


def _walk(span: Span, since: datetime, until: datetime) -> Iterator[Planned]:
    try:
        schedule = schedule_of(span.trigger)
    except InvalidSchedule:  # History.faults tells
        return
    jitter = jitter_of(span.trigger)
    after = span.after if span.after >= since else since - _INSTANT
    at = schedule.next_after(after)
    while at is not None and at <= until:
        due_at = at + jitter
        yield Planned(at=at, due_at=due_at, hold=_hold(span, due_at))
        at = schedule.next_after(at)


def _hold(span: Span, due_at: datetime) -> Hold | None:
    if not span.is_active:
        return Hold.INACTIVE
    paused_until = span.trigger.paused_until
    return Hold.PAUSED if paused_until and due_at < paused_until else None
