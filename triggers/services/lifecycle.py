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

from django.db import IntegrityError, connection, transaction

from common.errors import Conflict, Fault, NotFound
from triggers.clocks.base import get_clock
from triggers.models import Subscription, Trigger, TriggerStats, TriggerType
from triggers.services.scheduling import plan_next
from triggers.services.stats import reset_failures
from triggers.services.validation import check_trigger
from triggers.services.versions import write_version
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import create_endpoint

HOURLY_LIMIT = 60
_LIMITED = (TriggerType.WEBHOOK, TriggerType.EVENT)


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
class Created:
    """A new trigger, and its endpoint's secret if one was made: shown this once."""

    trigger: Trigger
    webhook_secret: str | None


def create_trigger(
    *,
    fields: Mapping[str, Any],
    event_types: Sequence[str] = (),
    webhook: Mapping[str, Any] | None = None,
    created_by: str = "",
) -> Created:
    """Create a trigger from its columns; a webhook trigger without an endpoint gets one.

    Raises InvalidTrigger, InvalidEndpoint, TriggerNameTaken.
    """
    with transaction.atomic():
        now = database_now()
        trigger = Trigger(
            **fields, created_by=created_by, created_at=now, updated_at=now,
            schedule_anchor=now,
        )  # fmt: skip
        if "max_executions_per_hour" not in fields:
            is_limited = trigger.trigger_type in _LIMITED
            trigger.max_executions_per_hour = HOURLY_LIMIT if is_limited else None
        check_trigger(trigger, event_types=event_types)
        secret = _give_endpoint(trigger, webhook or {})
        trigger.active_since = now if trigger.is_active else None
        plan_next(trigger, after=now)
        _save(trigger, force_insert=True)
        TriggerStats.objects.create(trigger=trigger)
        _subscribe(trigger, event_types)
        write_version(trigger)
        _tell_clock(trigger)
    return Created(trigger=trigger, webhook_secret=secret)


def update_trigger(
    *,
    trigger_id: UUID,
    fields: Mapping[str, Any],
    event_types: Sequence[str] | None = None,
) -> Trigger:
    """Change columns of a trigger; applies to events from now on.

    Raises TriggerNotFound, InvalidTrigger, TriggerNameTaken.
    """
    with transaction.atomic():
        trigger, now = _hold(trigger_id), database_now()
        was_active = trigger.is_active
        for name, value in fields.items():
            setattr(trigger, name, value)
        patterns = event_types if event_types is not None else patterns_of(trigger)
        check_trigger(trigger, event_types=patterns)
        if trigger.is_active and not was_active:
            trigger.active_since, trigger.disabled_reason = now, ""
        _apply(trigger, now)
        _subscribe(trigger, patterns)
    return trigger


def enable_trigger(*, trigger_id: UUID) -> Trigger:
    """Switch a trigger on and forget its failures; nothing happens to one that is on."""
    with transaction.atomic():
        trigger, now = _hold(trigger_id), database_now()
        if not trigger.is_active:
            trigger.is_active, trigger.active_since = True, now
            trigger.disabled_reason = ""
            _apply(trigger, now)
            reset_failures([trigger.id])
    return trigger


def disable_trigger(*, trigger_id: UUID, reason: str = "by hand") -> Trigger:
    """Switch a trigger off; nothing happens to one that is off."""
    with transaction.atomic():
        trigger = _hold(trigger_id)
        if trigger.is_active:
            trigger.is_active, trigger.active_since = False, None
            trigger.disabled_reason = reason
            _apply(trigger, database_now())
    return trigger


def delete_trigger(*, trigger_id: UUID) -> None:
    """Hide a trigger at once and free its name; its history goes with the purge."""
    with transaction.atomic():
        trigger, now = _hold(trigger_id), database_now()
        trigger.is_active, trigger.active_since = False, None
        trigger.deleted_at = now
        _apply(trigger, now)
        Subscription.objects.filter(trigger=trigger).delete()
        _retire_endpoint(trigger)
        get_clock().unschedule_trigger(trigger.id)


def patterns_of(trigger: Trigger) -> list[str]:
    """Return the event types that a trigger listens to."""
    rows = Subscription.objects.filter(trigger=trigger).order_by("pattern")
    return list(rows.values_list("pattern", flat=True))


def database_now() -> datetime:
    """Return the database's clock: the one that events are stamped by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def _hold(trigger_id: UUID) -> Trigger:
    rows = Trigger.objects.present().select_related("agent", "endpoint")
    trigger = rows.select_for_update(of=("self",)).filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    return trigger


def _apply(trigger: Trigger, now: datetime) -> None:
    """Save a changed trigger as its next version."""
    trigger.version += 1
    trigger.updated_at = now
    plan_next(trigger, after=now)
    _save(trigger)
    write_version(trigger)
    _tell_clock(trigger)


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


def _give_endpoint(trigger: Trigger, webhook: Mapping[str, Any]) -> str | None:
    if trigger.trigger_type != TriggerType.WEBHOOK or trigger.endpoint_id:
        return None
    made = create_endpoint(**webhook, subject=trigger.subject)
    trigger.endpoint = made.endpoint
    return made.secret


def _retire_endpoint(trigger: Trigger) -> None:
    """Close the endpoint of a deleted trigger, unless it serves others."""
    if trigger.endpoint_id is None:
        return
    others = Trigger.objects.present().filter(endpoint_id=trigger.endpoint_id)
    if not others.exists():
        endpoints = WebhookEndpoint.objects.filter(pk=trigger.endpoint_id)
        endpoints.update(is_active=False)


def _tell_clock(trigger: Trigger) -> None:
    if trigger.has_schedule:
        get_clock().update_schedule(trigger)
