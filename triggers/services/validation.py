"""What must hold of a trigger before it is stored; every fault names its field."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence

from common.errors import Fault, InvalidInput, join_faults
from common.json_schema import UnusableSchema, find_value_faults
from conditions.document import UnreadableFieldError, parse_field
from conditions.engine import validate_condition
from triggers.models import ScheduleType, Trigger, TriggerType
from triggers.schedules import InvalidSchedule
from triggers.services.scheduling import schedule_of
from webhooks.endpoints.lifecycle import (
    API_NAMES,
    EndpointFields,
    find_endpoint_faults,
)
from webhooks.models import WebhookEndpoint

HOUR_SECONDS = 3600
_PATTERN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-:")


class InvalidTrigger(InvalidInput):
    """The trigger's configuration is not valid."""

    code = "invalid_trigger"


def check_trigger(
    trigger: Trigger,
    *,
    event_types: Sequence[str],
    webhook: EndpointFields | None = None,
) -> None:
    """Raise InvalidTrigger with all that is wrong with an unsaved trigger."""
    if faults := find_faults(trigger, event_types=event_types, webhook=webhook):
        detail = join_faults(faults, with_pointers=False)
        raise InvalidTrigger(detail, faults=faults)


def find_faults(
    trigger: Trigger,
    *,
    event_types: Sequence[str],
    webhook: EndpointFields | None = None,
) -> list[Fault]:
    """Return all that is wrong with an unsaved trigger; pointers name the API's fields.

    `webhook` is what would be set of its endpoint.
    """
    faults = [fault for check in _CHECKS for fault in check(trigger)]
    faults += _check_patterns(trigger, event_types)
    faults += _check_webhook(trigger, webhook or {})
    return faults


def _check_name(trigger: Trigger) -> Iterator[Fault]:
    if not trigger.name.isprintable():
        yield Fault("/name", "Must be one line of printable text")


def _check_agent(trigger: Trigger) -> Iterator[Fault]:
    if not hasattr(trigger, "agent"):
        yield Fault("/agent_id", "A trigger needs an agent")
        return
    if not trigger.agent.is_active and (trigger.is_active or _is_new_agent(trigger)):
        yield Fault("/agent_id", f"Agent '{trigger.agent.name}' is switched off")
    if trigger.agent.parameters_schema:
        yield from _check_parameters(trigger)


def _is_new_agent(trigger: Trigger) -> bool:
    stored = Trigger.objects.filter(pk=trigger.pk, agent_id=trigger.agent_id)
    return not stored.exists()


def _check_parameters(trigger: Trigger) -> Iterator[Fault]:
    """Hold the task's parameters against the agent's JSON Schema."""
    schema = trigger.agent.parameters_schema
    try:
        for fault in find_value_faults(schema, trigger.task_parameters):
            yield Fault(f"/task_parameters{fault.pointer}", fault.detail)
    except UnusableSchema:
        detail = f"The parameters_schema of agent '{trigger.agent.name}' is unusable"
        yield Fault("/agent_id", detail)


def _check_schedule(trigger: Trigger) -> Iterator[Fault]:
    is_cron = trigger.schedule_type == ScheduleType.CRON
    if trigger.has_schedule and is_cron and trigger.cron_expression is None:
        yield Fault("/cron_expression", "A cron schedule needs a cron_expression")
    elif trigger.has_schedule:
        try:
            schedule_of(trigger)
        except InvalidSchedule as invalid:
            yield from invalid.faults
        else:
            yield from _check_pace(trigger)


def _check_pace(trigger: Trigger) -> Iterator[Fault]:
    """Refuse a schedule that its own hourly limit would hold back."""
    limit = trigger.max_executions_per_hour
    if limit is None:
        return
    schedule, start = schedule_of(trigger), trigger.schedule_anchor
    at, runs = schedule.next_after(start), 0
    first = at
    while at and first and (at - first).total_seconds() < HOUR_SECONDS:
        runs += 1
        if runs > limit:
            yield Fault(
                "/max_executions_per_hour",
                f"The schedule comes due more than {limit} times in its first hour, "
                f"but max_executions_per_hour is {limit}",
            )
            return
        at = schedule.next_after(at)


def _check_conditions(trigger: Trigger) -> Iterator[Fault]:
    for fault in validate_condition(trigger.conditions):
        yield Fault(f"/conditions{fault.pointer}", fault.detail)


def _check_mapping(trigger: Trigger) -> Iterator[Fault]:
    for name, field in trigger.parameter_mapping.items():
        pointer = f"/parameter_mapping/{name}"
        if not isinstance(field, str):
            yield Fault(pointer, "Must be a field of the event, such as 'body.id'")
            continue
        try:
            parse_field(field)
        except UnreadableFieldError as error:
            yield Fault(pointer, str(error))


def _check_patterns(trigger: Trigger, event_types: Sequence[str]) -> Iterator[Fault]:
    if trigger.trigger_type == TriggerType.EVENT and not event_types:
        yield Fault("/event_types", "Name at least one event type, such as 'invoice.*'")
    for place, pattern in enumerate(event_types):
        if not is_pattern(pattern):
            detail = f"'{pattern[:100]}' must be an event type, 'a.*' or '*'"
            yield Fault(f"/event_types/{place}", detail)


def _check_webhook(trigger: Trigger, webhook: EndpointFields) -> Iterator[Fault]:
    if trigger.trigger_type == TriggerType.WEBHOOK:
        endpoint = trigger.endpoint or WebhookEndpoint()
        yield from find_endpoint_faults(endpoint, **webhook)
        return
    detail = (
        f"Only webhook triggers have this; trigger_type is '{trigger.trigger_type}'"
    )
    if trigger.endpoint is not None:
        yield Fault("/endpoint_id", detail)
    for name, value in webhook.items():
        if value is not None:
            yield Fault(f"/{API_NAMES[name]}", detail)


def is_pattern(pattern: str) -> bool:
    """Whether this can match event types: `a.b`, `a.*` or `*`."""
    if pattern == "*":
        return True
    parts = pattern.removesuffix(".*").split(".")
    return len(pattern) <= 200 and all(
        part and _PATTERN_CHARACTERS.issuperset(part) for part in parts
    )


_CHECKS: tuple[Callable[[Trigger], Iterator[Fault]], ...] = (
    _check_name,
    _check_agent,
    _check_schedule,
    _check_conditions,
    _check_mapping,
)
