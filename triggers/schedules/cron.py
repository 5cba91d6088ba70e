from __future__ import annotations

from common.errors import Fault
from triggers.schedules.base import Schedule
from triggers.schedules.config import ConfigReader
from triggers.schedules.cron_fields import CronSyntaxError
from triggers.schedules.cron_parser import LONGEST_EXPRESSION, parse_cron
from triggers.schedules.cron_rule import CronRule
from triggers.schedules.errors import InvalidSchedule
from triggers.schedules.spec import ScheduleSpec

DEFAULT_EXPRESSION = "0 * * * *"
POINTER = "/cron_expression"
CONFIG_POINTER = "/schedule_config/cron"


def build(spec: ScheduleSpec) -> Schedule:
    """Build a cron schedule; the expression may stand in the config instead."""
    reader = ConfigReader(spec.config)
    in_config = reader.get("cron")
    reader.finish()
    if spec.cron_expression is None and in_config is not None:
        return spec.with_rule(_parse(in_config, CONFIG_POINTER))
    if spec.cron_expression is not None and in_config is not None:
        _refuse_contradiction(spec.cron_expression, in_config)
    expression = spec.cron_expression
    if expression is None:
        expression = DEFAULT_EXPRESSION
    return spec.with_rule(_parse(expression, POINTER))


def validate_cron(expression: str) -> tuple[bool, str]:
    """Return whether the expression is valid, and a message either way."""
    try:
        parse_cron(expression)
    except CronSyntaxError as error:
        return False, _explain(expression, error)
    return True, "Valid cron expression"


def _parse(expression: object, pointer: str) -> CronRule:
    if not isinstance(expression, str):
        fault = Fault(pointer, "The cron expression must be a string.")
        raise InvalidSchedule.from_faults([fault])
    try:
        return parse_cron(expression)
    except CronSyntaxError as error:
        fault = Fault(pointer, _explain(expression, error))
        raise InvalidSchedule.from_faults([fault]) from error


def _explain(expression: str, error: CronSyntaxError) -> str:
    shown = expression[:LONGEST_EXPRESSION]
    if not shown.isprintable():
        shown = "".join(
            c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown
        )
    return f"Invalid cron expression '{shown}': {error}"


def _refuse_contradiction(expression: str, in_config: object) -> None:
    if in_config != expression:
        detail = "'cron' differs from 'cron_expression'; give one of them."
        raise InvalidSchedule.from_faults([Fault(CONFIG_POINTER, detail)])
