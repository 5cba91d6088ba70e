"""The history of a trigger's schedule: writes its versions, and reads them for a range.

A version has the occurrences whose nominal instants are later than `valid_from` and not
later than `valid_to`. So each occurrence belongs to exactly one version, and a change
plans the next run from the instant that divides the two versions.
"""

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

MAX_VERSIONS = 1000
_FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
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


class SkipReason(StrEnum):
    """Why an occurrence of the schedule was not planned to run."""

    INACTIVE = "inactive"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One occurrence: its nominal instant, and when it came due, with jitter."""

    at: datetime
    due_at: datetime
    skip_reason: SkipReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One version: the trigger as it was for occurrences in (after, until]."""

    trigger: Trigger
    after: datetime
    until: datetime
    is_active: bool

    def skip_reason(self, due_at: datetime) -> SkipReason | None:
        if not self.is_active:
            return SkipReason.INACTIVE
        return SkipReason.PAUSED if self.trigger.is_paused(due_at) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The versions of a range; `until` is its end, or where `MAX_VERSIONS` cut it."""

    spans: Sequence[Span]
    until: datetime

    def occurrences(self, since: datetime) -> Iterator[Planned]:
        """Yield the occurrences from `since` on, in order."""
        for span in self.spans:
            yield from _occurrences(span, since, min(span.until, self.until))

    def faults(self) -> Iterator[str]:
        """Yield a sentence for each version whose schedule is not valid."""
        for span in self.spans:
            try:
                schedule_of(span.trigger)
            except InvalidSchedule as invalid:
                yield f"The schedule after {span.after.isoformat()}: {invalid.detail}"

    def least_jitter(self) -> timedelta:
        found = (jitter_of(span.trigger) for span in self.spans)
        return min(found, default=timedelta(0))


def version_boundary(unclaimed: datetime | None, now: datetime) -> datetime:
    """Return the nominal instant that divides two versions at a change at `now`.

    `unclaimed` is the first occurrence that no clock has claimed. If its jitter has not
    passed yet, or it is still to be caught up, it belongs to the next version.
    """
    if unclaimed is None or unclaimed > now:
        return now
    return unclaimed - _INSTANT


def write_version(trigger: Trigger, *, after: datetime) -> None:
    """Close the current version of a trigger's schedule and open the next one.

    The caller holds the trigger's row lock and has planned its next run after `after`.
    """
    _close_version(trigger, after)
    ScheduleVersion.objects.create(
        id=uuid7(),
        trigger=trigger,
        is_active=trigger.can_run,
        definition=schedule_definition(trigger),
        scheduled_runs=trigger.scheduled_runs,
        valid_from=after,
    )


def end_versions(trigger: Trigger, *, after: datetime, now: datetime) -> None:
    """Close the current version of a trigger that no longer has a schedule.

    Unclaimed occurrences later than `after` belong to an inactive version that ends
    now. The caller holds the trigger's row lock and has saved it.
    """
    if after < now:
        write_inactive_version(trigger_id=trigger.id, after=after)
    _close_version(trigger, now)


def write_inactive_version(*, trigger_id: UUID, after: datetime) -> None:
    """Close the current version and open an inactive one of the same definition.

    For a trigger that is disabled, or loses its schedule, while occurrences are
    unclaimed. The caller holds its row lock.
    """
    rows = ScheduleVersion.objects.select_related("trigger")
    version = rows.filter(trigger_id=trigger_id, valid_to=None).first()
    if version is None:
        return
    _close_version(version.trigger, after)
    ScheduleVersion.objects.create(
        id=uuid7(),
        trigger_id=trigger_id,
        is_active=False,
        definition=version.definition,
        scheduled_runs=version.trigger.scheduled_runs,
        valid_from=after,
    )


def schedule_definition(trigger: Trigger) -> dict[str, object]:
    """Return the columns that define when a trigger comes due, as JSON values."""
    values = {name: getattr(trigger, name) for name in _FIELDS}
    for name in _INSTANTS:
        if values[name] is not None:
            values[name] = values[name].isoformat()
    return values


def trigger_as_of(version: ScheduleVersion) -> Trigger:
    """Return an unsaved trigger with the schedule of this version."""
    known = (
        version.definition
    )  # an older version lacks newer fields: use their defaults
    values = {name: known[name] for name in _FIELDS if name in known}
    for name in _INSTANTS:
        if values.get(name) is not None:
            values[name] = datetime.fromisoformat(values[name])
    return Trigger(id=version.trigger_id, **values)


def _close_version(trigger: Trigger, at: datetime) -> None:
    current = ScheduleVersion.objects.filter(trigger=trigger, valid_to=None)
    current.update(valid_to=at, last_scheduled_for=trigger.last_scheduled_for)


def read_history(trigger: Trigger, since: datetime, until: datetime) -> History:
    """Read the versions that have instants of a range; at most 1,000 of them."""
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
    """Return a version's range, which ends with the last run if `max_runs` was reached.

    It also ends there if the number of runs was not stored. If there was no run, the
    range is empty.
    """
    until, last_run = version.valid_to, version.last_scheduled_for
    if until is None:
        until, last_run = _FOREVER, trigger.last_scheduled_for
    old = trigger_as_of(version)
    if old.max_runs is not None and (
        runs_at_end is None or runs_at_end >= old.max_runs
    ):
        until = min(until, last_run or version.valid_from)
    return Span(
        trigger=old,
        after=version.valid_from,
        until=until,
        is_active=version.is_active,
    )


def _occurrences(span: Span, since: datetime, until: datetime) -> Iterator[Planned]:
    try:
        schedule = schedule_of(span.trigger)
    except InvalidSchedule:  # reported by History.faults
        return
    jitter = jitter_of(span.trigger)
    after = span.after if span.after >= since else since - _INSTANT
    at = schedule.next_after(after)
    while at is not None and at <= until:
        due_at = at + jitter
        reason = span.skip_reason(due_at)
        yield Planned(at=at, due_at=due_at, skip_reason=reason)
        at = schedule.next_after(at)
