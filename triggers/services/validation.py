"""Sets the columns of a trigger and validates them; each fault names its field."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from access.handover import OWNER_FIELDS
from common.errors import Fault, InvalidInput, join_faults
from common.json_schema import UnusableSchema, find_value_faults
from conditions.document import UnreadableFieldError, parse_field
from conditions.engine import validate_condition
from events.models import EventType
from events.services.emit import INTERNAL_NAMESPACES
from senders.definitions import slug_of_alias
from triggers.models import ScheduleType, Trigger, TriggerType
from triggers.schedules import (
    Dialect,
    InvalidSchedule,
    Schedule,
    earliest,
    end_of_year,
    find_dialect,
    find_no_run,
)
from triggers.services.scheduling import schedule_of
from webhooks.endpoints.lifecycle import (
    API_NAMES,
    EndpointFields,
    find_endpoint_faults,
)
from webhooks.models import WebhookEndpoint
from webhooks.types import explain_never_sent, known_slugs

HOURLY_LIMIT = 60
_LIMITED = (TriggerType.WEBHOOK, TriggerType.EVENT)
_OF_THE_SCHEDULE = (
    "schedule_type", "schedule_config", "cron_expression", "timezone", "start_at",
    "end_at", "dst_gap", "dst_overlap",
)  # fmt: skip
_PATTERN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-:")


class InvalidTrigger(InvalidInput):
    """The trigger's configuration is not valid."""

    code = "invalid_trigger"


def default_hourly_limit(trigger_type: str) -> int | None:
    """Return the default of `max_executions_per_hour`; schedules need no limit."""
    return HOURLY_LIMIT if trigger_type in _LIMITED else None


def warn_of_hourly_limit(trigger_type: str) -> list[Fault]:
    """Return a warning if a new trigger of this type gets a default hourly limit."""
    limit = default_hourly_limit(trigger_type)
    if limit is None:
        return []
    detail = (
        f"The default applies: at most {limit} executions per hour. Further events are "
        "skipped (rate_limited). Set a number, or null for no limit"
    )
    return [Fault("/max_executions_per_hour", detail)]


def set_columns(trigger: Trigger, fields: Mapping[str, Any]) -> Dialect | None:
    """Set columns of an unsaved trigger, and those that follow; not its owners.

    A cron expression, in its column or in the config, makes this a cron schedule, and
    `interval_seconds` in the config an interval. Returns the system whose rules its
    expression was read by, if they are not cron's.
    """
    for name, value in fields.items():
        if name not in OWNER_FIELDS:
            setattr(trigger, name, value)
    if trigger.trigger_type != TriggerType.WEBHOOK and "endpoint" not in fields:
        trigger.endpoint = None
    if not trigger.has_schedule:
        return None
    in_config = trigger.schedule_config.get("cron")
    if trigger.cron_expression is None and isinstance(in_config, str):
        trigger.cron_expression = in_config
    if trigger.schedule_type is None and trigger.cron_expression is not None:
        trigger.schedule_type = ScheduleType.CRON
    if trigger.schedule_type is None and "interval_seconds" in trigger.schedule_config:
        trigger.schedule_type = ScheduleType.INTERVAL
    is_cron = trigger.schedule_type == ScheduleType.CRON
    return _write_expression(trigger) if is_cron else None


def _write_expression(trigger: Trigger) -> Dialect | None:
    """Write an expression of AWS or Quartz as our own; its last year sets `end_at`."""
    text = find_dialect(trigger.cron_expression)
    if text is None or text.expression == trigger.cron_expression:
        return None
    config = trigger.schedule_config
    if config.get("cron") == trigger.cron_expression:
        trigger.schedule_config = {**config, "cron": text.expression}
    trigger.cron_expression = text.expression
    end_of_years = end_of_year(text.last_year, trigger.timezone)
    trigger.end_at = earliest(trigger.end_at, end_of_years)
    return text.read_as


def check_trigger(
    trigger: Trigger,
    *,
    event_types: Sequence[str],
    webhook: EndpointFields | None = None,
    now: datetime,
    more: Sequence[Fault] = (),
) -> None:
    """Raise InvalidTrigger with all faults of an unsaved trigger, and `more`."""
    faults = find_faults(trigger, event_types=event_types, webhook=webhook, now=now)
    faults += more
    if faults:
        detail = join_faults(faults, with_pointers=False)
        raise InvalidTrigger(detail, faults=faults)


def find_faults(
    trigger: Trigger,
    *,
    event_types: Sequence[str],
    webhook: EndpointFields | None = None,
    now: datetime,
) -> list[Fault]:
    """Return all faults of an unsaved trigger; their pointers name the API's fields.

    `webhook` holds the columns of its endpoint that would be set.
    """
    faults: list[Fault] = []
    if not trigger.name.isprintable():
        faults.append(Fault("/name", "Must be one line of printable text"))
    faults += _check_agent(trigger)
    faults += _check_schedule(trigger, now)
    faults += [
        Fault(f"/conditions{fault.pointer}", fault.detail)
        for fault in validate_condition(trigger.conditions)
    ]
    faults += _check_mapping(trigger)
    faults += _check_patterns(trigger, event_types)
    faults += _check_webhook(trigger, webhook or {})
    return faults


def explain_unsupported(patterns: Sequence[str]) -> dict[int, str]:
    """Return, by index, why a pattern can match no event of any source.

    Leaves malformed patterns to `check_trigger`.
    """
    if not patterns:
        return {}
    catalogue = set(EventType.objects.values_list("name", flat=True))
    namespaces = {*INTERNAL_NAMESPACES, *known_slugs()}
    found = {
        place: explain_never_sent(pattern)
        if _is_supported(pattern, catalogue, namespaces)
        else _explain(pattern, catalogue, namespaces)
        for place, pattern in enumerate(patterns)
        if is_pattern(pattern)
    }
    return {place: detail for place, detail in found.items() if detail is not None}


def is_pattern(pattern: str) -> bool:
    """Return whether this is a pattern of event types: `a.b`, `a.*` or `*`."""
    if pattern == "*":
        return True
    parts = pattern.removesuffix(".*").split(".")
    return len(pattern) <= 200 and all(
        part and _PATTERN_CHARACTERS.issuperset(part) for part in parts
    )


def _check_agent(trigger: Trigger) -> Iterator[Fault]:
    if not hasattr(trigger, "agent"):
        yield Fault("/agent_id", "A trigger needs an agent")
        return
    if not trigger.agent.is_active:
        same = Trigger.objects.filter(pk=trigger.pk, agent_id=trigger.agent_id)
        if trigger.is_active or not same.exists():
            yield Fault("/agent_id", f"Agent '{trigger.agent.name}' is disabled")
    if trigger.agent.parameters_schema:
        yield from _check_parameters(trigger)


def _check_parameters(trigger: Trigger) -> Iterator[Fault]:
    """Validate the task parameters against the agent's JSON Schema."""
    schema = trigger.agent.parameters_schema
    try:
        for fault in find_value_faults(schema, trigger.task_parameters):
            yield Fault(f"/task_parameters{fault.pointer}", fault.detail)
    except UnusableSchema:
        detail = (
            f"The parameters_schema of agent '{trigger.agent.name}' is not usable as a "
            "JSON Schema. Correct the agent first"
        )
        yield Fault("/agent_id", detail)


def _check_schedule(trigger: Trigger, now: datetime) -> Iterator[Fault]:
    """Validate a schedule; one that did not change can be over, or of an old form."""
    if not trigger.has_schedule:
        return
    is_kept = _is_schedule_kept(trigger)
    try:
        schedule = schedule_of(trigger, is_stored=is_kept)
    except InvalidSchedule as invalid:
        yield from invalid.faults
        return
    over = None if is_kept else find_no_run(schedule, after=now)
    if over is not None:
        yield over
    yield from _check_pace(trigger, schedule)


def _is_schedule_kept(trigger: Trigger) -> bool:
    stored = Trigger.objects.filter(pk=trigger.pk).first()
    if stored is None or not stored.has_schedule:
        return False
    return all(
        getattr(stored, name) == getattr(trigger, name) for name in _OF_THE_SCHEDULE
    )


def _check_pace(trigger: Trigger, schedule: Schedule) -> Iterator[Fault]:
    """Reject a schedule that comes due more often than its own hourly limit allows."""
    limit = trigger.max_executions_per_hour
    runs = schedule.most_runs_per_hour()
    if trigger.max_runs is not None:
        runs = min(runs, trigger.max_runs)
    if limit is not None and runs > limit:
        yield Fault(
            "/max_executions_per_hour",
            f"The schedule comes due {runs} times an hour, but max_executions_per_hour "
            f"is {limit}; raise it, or leave it empty for no limit",
        )


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


def _is_supported(pattern: str, catalogue: set[str], namespaces: set[str]) -> bool:
    if pattern == "*" or pattern.split(".")[0] in namespaces:
        return True
    if not pattern.endswith(".*"):
        return pattern in catalogue
    return any(name.startswith(pattern.removesuffix("*")) for name in catalogue)


def _explain(pattern: str, catalogue: set[str], namespaces: set[str]) -> str:
    prefixes = {name.rpartition(".")[0] + ".*" for name in catalogue}
    known = prefixes if pattern.endswith(".*") else catalogue
    first, dot, rest = pattern.partition(".")
    if slug := slug_of_alias(first):
        close = [f"{slug}.{rest or '*'}"]
    else:
        same = {f"{name}.{rest}" for name in namespaces if dot}
        close = get_close_matches(pattern, sorted(known | same), n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"Event type '{pattern}' is not supported{hint}"
