"""What a trigger's schedule looks like to Celery beat: the nearest it can express.

A mirror only makes a run prompt; `claim_due` decides. So where Celery can't say
something (`L`, `#`, seconds, either of two day fields) the mirror comes due more often.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from django.db import connection
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from triggers.models import ScheduleType, Trigger
from triggers.schedules import (
    DEFAULT_DAY,
    DEFAULT_SECONDS,
    DEFAULT_TIME,
    SHORTCUTS,
)

_MIRROR_LOCK = 0x7469636B6D697272


def beat_schedule(trigger: Trigger) -> dict[str, Any]:
    """Return the schedule columns of a trigger's PeriodicTask; makes rows as needed."""
    config = trigger.schedule_config
    match trigger.schedule_type:
        case ScheduleType.INTERVAL:
            seconds = config.get("interval_seconds") or DEFAULT_SECONDS
            return {"interval": _interval(seconds), "crontab": None}
        case ScheduleType.DAILY:
            fields = _at(config.get("time"))
        case ScheduleType.WEEKLY:
            fields = _at(config.get("time"))
            day = config.get("day") or DEFAULT_DAY
            fields["day_of_week"] = str((day + 1) % 7)
        case ScheduleType.ONCE:
            fields = {}
        case _:
            fields = _cron_fields(trigger.cron_expression or "")
    return {"interval": None, "crontab": _crontab(fields, trigger.timezone)}


def _at(time: str | None) -> dict[str, str]:
    time = time or DEFAULT_TIME.isoformat()
    hour, minute = time.split(":")[:2]
    return {"hour": str(int(hour)), "minute": str(int(minute))}


def _cron_fields(expression: str) -> dict[str, str]:
    parts = SHORTCUTS.get(expression.lower(), expression).split()
    minute, hour, day, month, weekday = parts[-5:]
    if not day.startswith("*") and not weekday.startswith("*"):
        day = weekday = "*"
    fields = {
        "minute": minute,
        "hour": hour,
        "day_of_month": day,
        "month_of_year": month,
        "day_of_week": weekday.replace("7", "0"),
    }
    return {
        name: text if _is_known(name, text) else "*" for name, text in fields.items()
    }


def _is_known(name: str, text: str) -> bool:
    try:
        crontab(**{name: text})
    except (ParseException, ValueError):
        return False
    return True


def _interval(seconds: int) -> IntervalSchedule:
    _take_turns()
    wanted = {"every": seconds, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**wanted).first() or _create(
        IntervalSchedule(**wanted)
    )


def _crontab(fields: dict[str, str], zone: str) -> CrontabSchedule:
    _take_turns()
    unset = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    wanted = {**dict.fromkeys(unset, "*"), **fields, "timezone": ZoneInfo(zone)}
    return CrontabSchedule.objects.filter(**wanted).first() or _create(
        CrontabSchedule(**wanted)
    )


def _create(row: Any) -> Any:
    """Insert without signals: they lock one global row to the end of a transaction."""
    return type(row).objects.bulk_create([row])[0]


def _take_turns() -> None:
    """Make sure that two writers don't enter the same schedule twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MIRROR_LOCK])
