"""What must hold of a trigger before it is stored; every fault names its field."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence

from jsonschema import Draft202012Validator
from referencing import Registry

from common.errors import Fault, InvalidInput
from conditions.engine import validate_condition
from conditions.fields import UnreadableFieldError, parse_field
from triggers.models import Overlap, Trigger, TriggerType
from triggers.schedules import InvalidSchedule
from triggers.services.scheduling import schedule_of

HOUR_SECONDS = 3600
_PATTERN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-:")


class InvalidTrigger(InvalidInput):
    """The trigger's configuration is not valid."""

    code = "invalid_trigger"


def check_trigger(trigger: Trigger, *, event_types: Sequence[str]) -> None:
    """Raise InvalidTrigger with all that is wrong with an unsaved trigger."""
    faults = [fault for check in _CHECKS for fault in check(trigger)]
    faults += _check_patterns(trigger, event_types)
    if faults:
        detail = "; ".join(fault.detail for fault in faults[:5])
        raise InvalidTrigger(detail, faults=faults)


def _check_agent(trigger: Trigger) -> Iterator[Fault]:
    if not trigger.agent.is_active:
        yield Fault("/agent_id", f"Agent '{trigger.agent.name}' is switched off")
    schema = trigger.agent.parameters_schema
    if schema:
        validator = Draft202012Validator(schema, registry=Registry())
        for error in validator.iter_errors(trigger.task_parameters):
            pointer = "".join(f"/{part}" for part in error.absolute_path)
            yield Fault(f"/task_parameters{pointer}", error.message[:500])


def _check_schedule(trigger: Trigger) -> Iterator[Fault]:
    if trigger.has_schedule:
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


def _check_supported(trigger: Trigger) -> Iterator[Fault]:
    if trigger.overlap != Overlap.ALLOW:
        yield Fault("/overlap", "Only 'allow' is supported so far")
    if trigger.paused_until is not None:
        yield Fault(
            "/paused_until", "Pausing is not supported yet; disable the trigger"
        )


def _check_patterns(trigger: Trigger, event_types: Sequence[str]) -> Iterator[Fault]:
    if trigger.trigger_type == TriggerType.EVENT and not event_types:
        yield Fault("/event_types", "Name at least one event type, such as 'invoice.*'")
    for place, pattern in enumerate(event_types):
        if not is_pattern(pattern):
            detail = f"'{pattern[:100]}' must be an event type, 'a.*' or '*'"
            yield Fault(f"/event_types/{place}", detail)


def is_pattern(pattern: str) -> bool:
    """Whether this can match event types: `a.b`, `a.*` or `*`."""
    if pattern == "*":
        return True
    parts = pattern.removesuffix(".*").split(".")
    return len(pattern) <= 200 and all(
        part and _PATTERN_CHARACTERS.issuperset(part) for part in parts
    )


_CHECKS: tuple[Callable[[Trigger], Iterator[Fault]], ...] = (
    _check_agent,
    _check_schedule,
    _check_conditions,
    _check_mapping,
    _check_supported,
)
