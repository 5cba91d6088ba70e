"""Cron schedules: validates an expression and builds the schedule from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from common.errors import Fault
from triggers.schedules.base import InvalidSchedule, Schedule, occurrences
from triggers.schedules.cron_advice import read_cron
from triggers.schedules.cron_fields import CronSyntaxError
from triggers.schedules.cron_reading import CronText, end_of_year
from triggers.schedules.cron_rule import (
    LONGEST_EXPRESSION,
    parse_cron,
)
from triggers.schedules.presets import describe_cron
from triggers.schedules.spec import ConfigReader, ScheduleSpec
from triggers.schedules.wall_clock import WallClockSchedule

POINTER = "/cron_expression"
CONFIG_POINTER = "/schedule_config/cron"
NO_EXPRESSION = "A cron schedule needs a cron_expression, such as '0 9 * * mon-fri'"


def build(spec: ScheduleSpec) -> Schedule:
    """Build a cron schedule; the config can hold the expression instead."""
    reader = ConfigReader(spec.config)
    in_config = reader.get("cron")
    reader.finish()
    expression = spec.cron_expression
    if expression is None and in_config is not None:
        return _build(spec, in_config, CONFIG_POINTER)
    if expression is None:
        raise InvalidSchedule.from_faults([Fault(POINTER, NO_EXPRESSION)])
    if in_config is not None and in_config != expression:
        detail = "'cron' differs from 'cron_expression'; give one of them."
        raise InvalidSchedule.from_faults([Fault(CONFIG_POINTER, detail)])
    return _build(spec, expression, POINTER)


def validate_cron(expression: str) -> tuple[bool, str]:
    """Return whether the expression is valid, and a message either way."""
    try:
        read_cron(expression)
    except CronSyntaxError as error:
        return False, _explain(expression, error)
    return True, "Valid cron expression"


def find_dialect(expression: object) -> CronText | None:
    """Return how an expression is read and stored; None if it is not valid."""
    try:
        return read_cron(expression) if isinstance(expression, str) else None
    except CronSyntaxError:
        return None


def describe_expression(expression: str) -> str:
    """Return a valid expression's description, and any other text as it is."""
    text = find_dialect(expression)
    if text is None:
        return describe_cron(expression)
    return parse_cron(text.expression).describe()


def next_runs(
    expression: str, count: int = 5, *, after: datetime | None = None
) -> list[datetime]:
    """Return a cron expression's next runs in UTC, from now; [] if it is not valid."""
    text = find_dialect(expression)
    if text is None:
        return []
    rule = parse_cron(text.expression)
    schedule = WallClockSchedule(
        timezone="UTC", rule=rule, end_at=end_of_year(text.last_year, "UTC")
    )
    return occurrences(schedule, after or datetime.now(UTC), limit=count)


def _build(spec: ScheduleSpec, expression: object, pointer: str) -> Schedule:
    if not isinstance(expression, str):
        fault = Fault(pointer, "The cron expression must be a string.")
        raise InvalidSchedule.from_faults([fault])
    try:
        if spec.is_stored:
            return spec.with_rule(parse_cron(expression))
        text = read_cron(expression)
    except CronSyntaxError as error:
        fault = Fault(pointer, _explain(expression, error))
        raise InvalidSchedule.from_faults([fault]) from error
    end_at = earliest(spec.end_at, end_of_year(text.last_year, spec.timezone))
    return replace(spec, end_at=end_at).with_rule(parse_cron(text.expression))


def earliest(*instants: datetime | None) -> datetime | None:
    return min((at for at in instants if at is not None), default=None)


def _explain(expression: str, error: CronSyntaxError) -> str:
    message = f"Invalid cron expression '{expression[:LONGEST_EXPRESSION]}': {error}"
    if message.isprintable():
        return message
    return "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in message
    )
