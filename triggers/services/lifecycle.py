"""Creates, changes, switches and deletes triggers; the only writers of their rows.

Each act locks the trigger's row, writes the schedule's history and tells the clock, in
one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from common.database.sql import database_now
from common.errors import Conflict, Fault, NotFound
from triggers.clocks.base import get_clock
from triggers.models import Subscription, Trigger, TriggerStats
from triggers.services.claim import record_due
from triggers.services.columns import default_hourly_limit, set_columns
from triggers.services.endpoints import equip, pass_subject_on, retire_endpoint
from triggers.services.scheduling import plan_next
from triggers.services.stats import lock_stats, reset_failures
from triggers.services.validation import check_trigger
from triggers.services.versions import (
    definition_of,
    end_versions,
    settled_up_to,
    write_version,
)
from webhooks.endpoints.lifecycle import EndpointFields

BY_HAND = "by hand"


class TriggerNameTaken(Conflict):
    """Another trigger already has this name."""

    code = "trigger_name_taken"

    def __init__(self) -> None:
        text = "Another trigger already has this name"
        super().__init__(text, faults=[Fault("/name", text)])


class TriggerNotFound(NotFound):
    """There is no such trigger."""

    code = "trigger_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTrigger:
    """A trigger as stored, and its endpoint's secret if this set it: shown once."""

    trigger: Trigger
    webhook_secret: str | None


def create_trigger(
    *,
    fields: Mapping[str, Any],
    event_types: Sequence[str] = (),
    webhook: EndpointFields | None = None,
    created_by: str = "",
) -> SavedTrigger:
    """Create a trigger; a webhook trigger without an endpoint gets one.

    Raises InvalidTrigger, TriggerNameTaken.
    """
    with transaction.atomic():
        now = database_now()
        trigger = Trigger(
            created_by=created_by, created_at=now, updated_at=now, schedule_anchor=now
        )
        trigger.max_executions_per_hour = default_hourly_limit(fields["trigger_type"])
        set_columns(trigger, fields)
        check_trigger(trigger, event_types=event_types, webhook=webhook)
        secret = equip(trigger, webhook)
        trigger.active_since = now if trigger.is_active else None
        plan_next(trigger, after=now)
        _save(trigger, force_insert=True)
        TriggerStats.objects.create(trigger=trigger)
        _subscribe(trigger, event_types)
        _write_history(trigger, now, now)
        _tell_clock(trigger)
    return SavedTrigger(trigger=trigger, webhook_secret=secret)


def update_trigger(
    *,
    trigger_id: UUID,
    fields: Mapping[str, Any],
    event_types: Sequence[str] | None = None,
    webhook: EndpointFields | None = None,
) -> SavedTrigger:
    """Change columns of a trigger and of its endpoint; applies to events from now on.

    Raises TriggerNotFound, InvalidTrigger, TriggerNameTaken.
    """
    with transaction.atomic():
        trigger, now = _hold(trigger_id), database_now()
        was_active, old_endpoint_id = trigger.is_active, trigger.endpoint_id
        old_subject = trigger.subject
        set_columns(trigger, fields)
        patterns = event_types if event_types is not None else patterns_of(trigger)
        check_trigger(trigger, event_types=patterns, webhook=webhook)
        if trigger.endpoint_id == old_endpoint_id and trigger.subject != old_subject:
            pass_subject_on(trigger)
        secret = equip(trigger, webhook)
        if trigger.is_active != was_active:
            _switch(trigger, is_active=trigger.is_active, now=now)
        _apply(trigger, now)
        _subscribe(trigger, patterns)
        if trigger.endpoint_id != old_endpoint_id:
            retire_endpoint(old_endpoint_id)
    return SavedTrigger(trigger=trigger, webhook_secret=secret)


def enable_trigger(*, trigger_id: UUID) -> Trigger:
    """Switch a trigger on, forget its failures; nothing happens to one that is on."""
    with transaction.atomic():
        trigger, now = _hold(trigger_id), database_now()
        if not trigger.is_active:
            _switch(trigger, is_active=True, now=now)
            _apply(trigger, now)
    return trigger


def disable_trigger(*, trigger_id: UUID, reason: str = BY_HAND) -> Trigger:
    """Switch a trigger off; nothing happens to one that is off."""
    with transaction.atomic():
        trigger, now = _hold(trigger_id), database_now()
        if trigger.is_active:
            _switch(trigger, is_active=False, now=now, reason=reason)
            _apply(trigger, now)
    return trigger


def delete_trigger(*, trigger_id: UUID) -> None:
    """Hide a trigger at once and free its name; its history goes with the purge."""
    with transaction.atomic():
        trigger, now = _hold(trigger_id), database_now()
        trigger.is_active, trigger.active_since = False, None
        trigger.deleted_at = now
        _apply(trigger, now)
        Subscription.objects.filter(trigger=trigger).delete()
        retire_endpoint(trigger.endpoint_id)
        get_clock().unschedule_trigger(trigger.id)


def patterns_of(trigger: Trigger) -> list[str]:
    """Return the event types that a trigger listens to."""
    rows = Subscription.objects.filter(trigger=trigger).order_by("pattern")
    return list(rows.values_list("pattern", flat=True))


def _hold(trigger_id: UUID) -> Trigger:
    lock_stats([trigger_id])
    rows = Trigger.objects.present().select_related("agent", "endpoint")
    held = rows.select_for_update(of=("self",), no_key=True)
    trigger = held.filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    return trigger


def _apply(trigger: Trigger, now: datetime) -> None:
    """Save a changed trigger as its next version.

    Where its schedule is another, what was still due by the old one is recorded first.
    """
    trigger.version += 1
    trigger.updated_at = now
    before = Trigger.objects.get(pk=trigger.pk)
    if _is_other_schedule(trigger, before):
        after = _settle(trigger, before, now)
        plan_next(trigger, after=after)
        _save(trigger)
        _write_history(trigger, after, now)
    else:
        _save(trigger)
    _tell_clock(trigger)
    if before.has_schedule and not trigger.has_schedule:
        get_clock().unschedule_trigger(trigger.id)


def _settle(trigger: Trigger, before: Trigger, now: datetime) -> datetime:
    """Record what is due by the old schedule; return from when on the new one counts.

    An occurrence that waits for its place within the jitter has not run yet. Nor has
    what one claim could not catch up: it is left to the new schedule.
    """
    claim = record_due(before, now)
    if claim is None:
        return settled_up_to(before.next_scheduled_for, now)
    trigger.scheduled_runs += len(claim.fired)
    if claim.fired:
        trigger.last_scheduled_for = claim.fired[-1]
    return settled_up_to(claim.next_nominal, now)


def _write_history(trigger: Trigger, after: datetime, now: datetime) -> None:
    if trigger.has_schedule:
        write_version(trigger, after=after)
    else:
        end_versions(trigger, after=after, now=now)


def _is_other_schedule(trigger: Trigger, before: Trigger) -> bool:
    is_switched = trigger.can_run != before.can_run
    is_retyped = trigger.has_schedule != before.has_schedule
    is_redefined = definition_of(trigger) != definition_of(before)
    return is_switched or is_retyped or is_redefined


def _save(trigger: Trigger, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            trigger.save(force_insert=force_insert)
    except IntegrityError as error:
        if "trigger_name_unique" in str(error):
            raise TriggerNameTaken from error
        raise


def _subscribe(trigger: Trigger, patterns: Sequence[str]) -> None:
    """Make a trigger's subscriptions these patterns, of its subject."""
    Subscription.objects.filter(trigger=trigger).delete()
    Subscription.objects.bulk_create(
        Subscription(trigger=trigger, pattern=pattern, subject=trigger.subject)
        for pattern in dict.fromkeys(patterns)
    )


def _switch(
    trigger: Trigger, *, is_active: bool, now: datetime, reason: str = BY_HAND
) -> None:
    trigger.is_active = is_active
    trigger.active_since = now if is_active else None
    trigger.disabled_reason = "" if is_active else reason
    if is_active:
        reset_failures([trigger.id])


def _tell_clock(trigger: Trigger) -> None:
    if trigger.has_schedule:
        get_clock().update_schedule(trigger)
