"""Which occurrences a trigger's schedule had, by all the versions that there were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import Q

from common.ids import uuid7
from triggers.models import ScheduleVersion, Trigger
from triggers.schedules import InvalidSchedule
from triggers.services.scheduling import jitter_of, schedule_of

_INSTANT = timedelta(microseconds=1)
_INSTANTS = ("start_at", "end_at", "paused_until", "schedule_anchor")
_FIELDS = (
    "schedule_type",
    "schedule_config",
    "cron_expression",
    "timezone",
    "max_runs",
    "jitter_seconds",
    "dst_gap",
    "dst_overlap",
    "catchup",
    "catchup_window_seconds",
    "misfire_grace_seconds",
    "overlap",
    *_INSTANTS,
)


def settled_up_to(unclaimed: datetime | None, now: datetime) -> datetime:
    """Return the nominal instant that divides a trigger's versions at a change.

    `unclaimed` is the first occurrence that no clock has claimed. One that waits for
    its place within the jitter, or is still to be caught up, is the next version's.
    """
    if unclaimed is None or unclaimed > now:
        return now
    return unclaimed - _INSTANT


def write_version(trigger: Trigger, *, after: datetime) -> None:
    """Close the current version of a trigger's schedule and open the next.

    The caller holds the trigger's row lock and has planned its next run after `after`.
    """
    _close(trigger, after)
    ScheduleVersion.objects.create(
        id=uuid7(),
        trigger=trigger,
        is_active=trigger.can_run,
        definition=definition_of(trigger),
        scheduled_runs=trigger.scheduled_runs,
        valid_from=after,
    )


def end_versions(trigger: Trigger, *, after: datetime, now: datetime) -> None:
    """Close the current version of a trigger that has no schedule any more.

    What is unclaimed `after` it is an inactive version's, which ends now. The caller
    holds the trigger's row lock and has saved it.
    """
    if after < now:
        switch_off_version(trigger_id=trigger.id, after=after)
    _close(trigger, now)


def switch_off_version(*, trigger_id: UUID, after: datetime) -> None:
    """Close the current version and let it go on as an inactive one.

    For a trigger that is switched off, or loses its schedule, with occurrences still
    unclaimed; the caller holds its row lock.
    """
    rows = ScheduleVersion.objects.select_related("trigger")
    version = rows.filter(trigger_id=trigger_id, valid_to=None).first()
    if version is None:
        return
    _close(version.trigger, after)
    ScheduleVersion.objects.create(
        id=uuid7(),
        trigger_id=trigger_id,
        is_active=False,
        definition=version.definition,
        scheduled_runs=version.trigger.scheduled_runs,
        valid_from=after,
    )


def definition_of(trigger: Trigger) -> dict[str, object]:
    """Return all that says when a trigger comes due, as JSON values."""
    return {name: _plain(trigger, name) for name in _FIELDS}


def trigger_as_of(version: ScheduleVersion) -> Trigger:
    """Return an unsaved trigger with the schedule that this version had."""
    known = version.definition  # a field that it lacks has its default
    values = {name: known[name] for name in _FIELDS if name in known}
    for name in _INSTANTS:
        if values.get(name) is not None:
            values[name] = datetime.fromisoformat(values[name])
    return Trigger(id=version.trigger_id, **values)


def _close(trigger: Trigger, at: datetime) -> None:
    current = ScheduleVersion.objects.filter(trigger=trigger, valid_to=None)
    current.update(valid_to=at, last_scheduled_for=trigger.last_scheduled_for)


def _plain(trigger: Trigger, name: str) -> object:
    value = getattr(trigger, name)
    return value.isoformat() if hasattr(value, "isoformat") else value


MAX_VERSIONS = 1000
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
