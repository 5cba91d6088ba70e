"""Creates, changes, enables, disables and deletes triggers.

Each service locks the trigger's row, writes the history of its schedule and updates the
clock, in one transaction. Besides these, only a claim, auto-disable and the purge write
rows of triggers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from access.actors import because, joining_changes
from access.audit.records import record_update
from access.callers import Caller, subject_of
from access.handover import Person, change_owner, save_owner_groups
from agents.access import usable_agents
from common.database.sql import database_now
from common.errors import Conflict, Fault, NotFound
from triggers.clock import get_clock
from triggers.models import Subscription, Trigger, TriggerStats
from triggers.schedules import Dialect
from triggers.services.claim import record_due
from triggers.services.endpoints import (
    close_unused_endpoint,
    require_same_subject,
    save_endpoint,
    update_endpoint_subject,
)
from triggers.services.schedule_history import (
    end_versions,
    schedule_definition,
    version_boundary,
    write_version,
)
from triggers.services.scheduling import plan_next
from triggers.services.stats import lock_stats, reset_failures
from triggers.services.validation import (
    check_trigger,
    default_hourly_limit,
    set_columns,
)
from webhooks.endpoints.lifecycle import EndpointFields
from webhooks.endpoints.secrets import is_open

BY_HAND = "by hand"


class TriggerNameTaken(Conflict):
    """Another trigger of the same subject already has this name."""

    code = "trigger_name_taken"

    def __init__(self) -> None:
        text = "Another trigger already has this name"
        super().__init__(text, faults=[Fault("/name", text)])


class TriggerNotFound(NotFound):
    """There is no such trigger."""

    code = "trigger_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTrigger:
    """A stored trigger; `webhook_secret` is the endpoint's secret if it was just set.

    Show it to the person: it cannot be read again. `read_as` is the system whose rules
    its cron expression was read by, before it was stored in our own order.
    """

    trigger: Trigger
    webhook_secret: str | None
    read_as: Dialect | None


def create_trigger(
    *,
    fields: Mapping[str, Any],
    event_types: Sequence[str] = (),
    webhook: EndpointFields | None = None,
    created_by: str = "",
    by: Person | None = None,
) -> SavedTrigger:
    """Create a trigger, and an endpoint for a webhook trigger that names none.

    `by` is the person who does it: the owner, unless `fields` names another.
    Raises InvalidTrigger, TriggerNameTaken.
    """
    owner = {"owner": by} if isinstance(by, User) else {}
    fields = {"count_task_failures": None, **owner, **fields}
    with transaction.atomic(), joining_changes():
        now = database_now()
        trigger = Trigger(
            created_by=created_by, created_at=now, updated_at=now, schedule_anchor=now
        )
        trigger.max_executions_per_hour = default_hourly_limit(fields["trigger_type"])
        read_as = set_columns(trigger, fields)
        check_trigger(
            trigger,
            event_types=event_types,
            webhook=webhook,
            now=now,
            more=_change_owner(trigger, fields, by),
        )
        require_same_subject(trigger)
        secret = save_endpoint(trigger, webhook)
        _set_counting(trigger, fields)
        trigger.active_since = now if trigger.is_active else None
        plan_next(trigger, after=now)
        _save(trigger, force_insert=True)
        save_owner_groups(trigger, fields)
        TriggerStats.objects.create(trigger=trigger)
        _subscribe(trigger, event_types)
        _write_history(trigger, now, now)
        _update_clock(trigger)
    return SavedTrigger(trigger=trigger, webhook_secret=secret, read_as=read_as)


def update_trigger(
    *,
    trigger_id: UUID,
    fields: Mapping[str, Any],
    event_types: Sequence[str] | None = None,
    webhook: EndpointFields | None = None,
    by: Person | None = None,
) -> SavedTrigger:
    """Change columns of a trigger and of its endpoint, for events from now on.

    A `count_task_failures` of None stands for its default. `by` is the person who does
    it, and needs to own the trigger to change its owners.
    Raises TriggerNotFound, InvalidTrigger, TriggerNameTaken.
    """
    with transaction.atomic(), joining_changes():
        trigger, now = _lock_trigger(trigger_id), database_now()
        was_active, old_endpoint_id = trigger.is_active, trigger.endpoint_id
        old_subject = trigger.subject
        read_as = set_columns(trigger, fields)
        patterns = event_types if event_types is not None else patterns_of(trigger)
        check_trigger(
            trigger,
            event_types=patterns,
            webhook=webhook,
            now=now,
            more=_change_owner(trigger, fields, by),
        )
        if trigger.endpoint_id != old_endpoint_id:
            require_same_subject(trigger)
        elif trigger.subject != old_subject:
            update_endpoint_subject(trigger)
        secret = save_endpoint(trigger, webhook)
        _set_counting(trigger, fields)
        if trigger.is_active != was_active:
            _set_active(trigger, is_active=trigger.is_active, now=now)
        _save_change(trigger, now)
        save_owner_groups(trigger, fields)
        _subscribe(trigger, patterns)
        if trigger.endpoint_id != old_endpoint_id:
            close_unused_endpoint(old_endpoint_id)
    return SavedTrigger(trigger=trigger, webhook_secret=secret, read_as=read_as)


def enable_trigger(*, trigger_id: UUID) -> Trigger:
    """Enable a trigger and reset its failures; no effect if it is enabled."""
    with transaction.atomic():
        trigger, now = _lock_trigger(trigger_id), database_now()
        if not trigger.is_active:
            _set_active(trigger, is_active=True, now=now)
            _save_change(trigger, now)
    return trigger


def disable_trigger(*, trigger_id: UUID, reason: str = BY_HAND) -> Trigger:
    """Disable a trigger; no effect if it is disabled."""
    with transaction.atomic(), because(reason):
        trigger, now = _lock_trigger(trigger_id), database_now()
        if trigger.is_active:
            _set_active(trigger, is_active=False, now=now, reason=reason)
            _save_change(trigger, now)
    return trigger


def delete_trigger(*, trigger_id: UUID) -> None:
    """Hide a trigger and free its name; the purge deletes its history later."""
    with transaction.atomic():
        trigger, now = _lock_trigger(trigger_id), database_now()
        trigger.is_active, trigger.active_since = False, None
        trigger.deleted_at = now
        _save_change(trigger, now)
        Subscription.objects.filter(trigger=trigger).delete()
        close_unused_endpoint(trigger.endpoint_id)
        get_clock().unschedule_trigger(trigger.id)


def patterns_of(trigger: Trigger) -> list[str]:
    """Return the patterns of event types that a trigger subscribes to."""
    rows = Subscription.objects.filter(trigger=trigger).order_by("pattern")
    return list(rows.values_list("pattern", flat=True))


def _change_owner(
    trigger: Trigger, fields: Mapping[str, Any], by: Person | None
) -> list[Fault]:
    def may_use(user: User) -> bool:
        is_open = subject_of(user) in ("", trigger.subject)
        agents = usable_agents(Caller(user))
        return is_open and agents.filter(pk=trigger.agent_id).exists()

    return change_owner(trigger, fields, by=by, may_use=may_use)


def _set_counting(trigger: Trigger, fields: Mapping[str, Any]) -> None:
    """Set the default of `count_task_failures` if the field is None.

    Callers whose requests are not authenticated could make an agent fail on purpose,
    until the trigger is disabled.
    """
    if fields.get("count_task_failures", ...) is None:
        endpoint = trigger.endpoint
        trigger.count_task_failures = endpoint is None or not is_open(endpoint)


def _lock_trigger(trigger_id: UUID) -> Trigger:
    lock_stats([trigger_id])
    rows = Trigger.objects.present().select_related("agent", "endpoint")
    held = rows.select_for_update(of=("self",), no_key=True)
    trigger = held.filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    return trigger


def _save_change(trigger: Trigger, now: datetime) -> None:
    """Save a changed trigger as its next version.

    If its schedule changed, record what is due by the old schedule first.
    """
    trigger.version += 1
    trigger.updated_at = now
    before = Trigger.objects.get(pk=trigger.pk)
    if (
        trigger.can_run != before.can_run
        or trigger.has_schedule != before.has_schedule
        or schedule_definition(trigger) != schedule_definition(before)
    ):
        after = _record_due_before(trigger, before, now)
        plan_next(trigger, after=after)
        _save(trigger)
        _write_history(trigger, after, now)
    else:
        _save(trigger)
    _update_clock(trigger)
    if before.has_schedule and not trigger.has_schedule:
        get_clock().unschedule_trigger(trigger.id)


def _record_due_before(trigger: Trigger, before: Trigger, now: datetime) -> datetime:
    """Record what is due by the old schedule; return the new version's `valid_from`.

    Left to the new schedule are an occurrence whose jitter has not passed yet, and
    those that one claim could not catch up.
    """
    claim = record_due(before, now)
    if claim is None:
        return version_boundary(before.next_scheduled_for, now)
    trigger.scheduled_runs += len(claim.fired)
    if claim.fired:
        trigger.last_scheduled_for = claim.fired[-1]
    return version_boundary(claim.next_nominal, now)


def _write_history(trigger: Trigger, after: datetime, now: datetime) -> None:
    if trigger.has_schedule:
        write_version(trigger, after=after)
    else:
        end_versions(trigger, after=after, now=now)


def _save(trigger: Trigger, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            trigger.save(force_insert=force_insert)
    except IntegrityError as error:
        if "trigger_name_unique" in str(error):
            raise TriggerNameTaken from error
        raise


def _subscribe(trigger: Trigger, patterns: Sequence[str]) -> None:
    """Replace a trigger's subscriptions by these patterns, for its subject."""
    before = patterns_of(trigger)
    Subscription.objects.filter(trigger=trigger).delete()
    Subscription.objects.bulk_create(
        Subscription(trigger=trigger, pattern=pattern, subject=trigger.subject)
        for pattern in dict.fromkeys(patterns)
    )
    if set(before) != set(patterns):
        record_update(Trigger, trigger.pk, old={"event_types": sorted(before)})


def _set_active(
    trigger: Trigger, *, is_active: bool, now: datetime, reason: str = BY_HAND
) -> None:
    trigger.is_active = is_active
    trigger.active_since = now if is_active else None
    trigger.disabled_reason = "" if is_active else reason
    if is_active:
        reset_failures([trigger.id])


def _update_clock(trigger: Trigger) -> None:
    if trigger.has_schedule:
        get_clock().update_schedule(trigger)
