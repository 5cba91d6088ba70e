from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CronPreset:
    name: str
    cron: str
    description: str


_PRESETS = (
    ("every_minute", "* * * * *", "Every minute"),
    ("every_5_minutes", "*/5 * * * *", "Every 5 minutes"),
    ("every_15_minutes", "*/15 * * * *", "Every 15 minutes"),
    ("every_30_minutes", "*/30 * * * *", "Every 30 minutes"),
    ("every_hour", "0 * * * *", "Every hour"),
    ("every_2_hours", "0 */2 * * *", "Every 2 hours"),
    ("every_6_hours", "0 */6 * * *", "Every 6 hours"),
    ("every_12_hours", "0 */12 * * *", "Every 12 hours"),
    ("daily_midnight", "0 0 * * *", "Daily at midnight"),
    ("daily_9am", "0 9 * * *", "Daily at 9:00 AM"),
    ("daily_6pm", "0 18 * * *", "Daily at 6:00 PM"),
    ("weekly_monday", "0 9 * * 1", "Weekly on Monday at 9:00 AM"),
    ("weekly_friday", "0 17 * * 5", "Weekly on Friday at 5:00 PM"),
    ("monthly_first", "0 9 1 * *", "Monthly on the 1st at 9:00 AM"),
    ("monthly_last", "0 9 L * *", "Monthly on the last day at 9:00 AM"),
    ("quarterly", "0 9 1 1,4,7,10 *", "Quarterly on the 1st at 9:00 AM"),
)
PRESETS = tuple(
    CronPreset(name=name, cron=cron, description=description)
    for name, cron, description in _PRESETS
)
_BY_NAME = {preset.name: preset for preset in PRESETS}
_DESCRIPTIONS = {preset.cron: preset.description for preset in PRESETS}


def list_presets() -> list[CronPreset]:
    return list(PRESETS)


def get_preset(name: str) -> CronPreset | None:
    return _BY_NAME.get(name)


def describe_cron(expression: str) -> str:
    """Return the description of the preset for an expression, else the expression."""
    return _DESCRIPTIONS.get(" ".join(expression.split()), expression)


def build_cron(
    minute: str = "*",
    hour: str = "*",
    day: str = "*",
    month: str = "*",
    weekday: str = "*",
) -> str:
    """Join the five fields to an expression; does not validate it."""
    return f"{minute} {hour} {day} {month} {weekday}"
