"""The history of a trigger's schedule: what it was, from when to when.

A version has the occurrences whose nominal instants lie within (valid_from, valid_to].
So each instant is one version's, and a change is planned from the very instant at which
it divides the two.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from common.ids import uuid7
from triggers.models import ScheduleVersion, Trigger

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
