"""The rows of Celery beat that mirror triggers: their columns, and their repair.

A mirror only makes a run prompt; `claim_due` decides what is due. So a mirror comes due
more often if Celery cannot express a schedule (`L`, `#`, seconds, either of two day
fields).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from django.db import connection, transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from triggers.clock import get_clock
from triggers.models import ScheduleType, Trigger, TriggerType
from triggers.schedules import (
    DEFAULT_DAY,
    DEFAULT_SECONDS,
    DEFAULT_TIME,
    SHORTCUTS,
)
from triggers.schedules.cron_fields import (
    WEEKDAY,
    CronSyntaxError,
    parse_numbers,
    write_numbers,
)

CLAIM_DUE = "triggers.tasks.claim_due"
HEARTBEAT_NAME = "tickhook-claim-due"
SWEEP_NAME = "tickhook-sweep"
MIRROR_PREFIX = "cron-trigger-"
# In byte order, the first name after those of the mirrors.
AFTER_MIRRORS = "cron-trigger."
_MIRROR_LOCK = 0x7469636B6D697272
_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
CHUNK = 1000

_ORPHANS = """
FROM django_celery_beat_periodictask p WHERE p.name ~>=~ %s AND p.name ~<~ %s
AND NOT EXISTS (
    SELECT 1 FROM triggers_trigger t WHERE p.name = 'cron-trigger-' || t.id::text
    AND t.trigger_type = 'cron' AND t.deleted_at IS NULL
)
"""


def mirror_name(trigger_id: UUID) -> str:
    return f"{MIRROR_PREFIX}{trigger_id}"


def mirror_columns(trigger: Trigger) -> dict[str, Any]:
    """Return the columns of a trigger's mirror, without its name and its runs."""
    return {
        **schedule_columns(nearest_to(trigger)),
        "task": CLAIM_DUE,
        "queue": "clock",
        "enabled": trigger.can_run and trigger.next_run_time is not None,
        "expire_seconds": 5,
        "description": f"Mirror of trigger {trigger.name!r}; edit the trigger instead",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The nearest schedule that Celery can express: an interval, or a crontab."""

    seconds: int | None = None
    fields: tuple[str, ...] = ()
    timezone: str = "UTC"


def nearest_to(trigger: Trigger) -> Nearest:
    """Return the schedule of a trigger's mirror; makes no query."""
    config = trigger.schedule_config
    match trigger.schedule_type:
        case ScheduleType.INTERVAL:
            return Nearest(seconds=config.get("interval_seconds") or DEFAULT_SECONDS)
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
    return Nearest(
        fields=tuple(fields.get(name, "*") for name in _FIELDS),
        timezone=trigger.timezone,
    )


def schedule_columns(nearest: Nearest) -> dict[str, Any]:
    """Return the schedule columns of a PeriodicTask; create the rows as needed."""
    if nearest.seconds is not None:
        wanted = {"every": nearest.seconds, "period": IntervalSchedule.SECONDS}
        return {"interval": _row(IntervalSchedule, wanted), "crontab": None}
    wanted = dict(zip(_FIELDS, nearest.fields, strict=True))
    wanted["timezone"] = ZoneInfo(nearest.timezone)
    return {"interval": None, "crontab": _row(CrontabSchedule, wanted)}


def read_nearest(task: Any) -> Nearest:
    """Return the schedule of a PeriodicTask; select its schedule rows beforehand."""
    if task.interval is not None:
        is_plain = task.interval.period == IntervalSchedule.SECONDS
        return Nearest(seconds=task.interval.every if is_plain else 0)
    if task.crontab is None:
        return Nearest()
    return Nearest(
        fields=tuple(getattr(task.crontab, name) for name in _FIELDS),
        timezone=str(task.crontab.timezone),
    )


def _at(time: str | None) -> dict[str, str]:
    time = time or DEFAULT_TIME.isoformat()
    hour, minute = time.split(":")[:2]
    return {"hour": str(int(hour)), "minute": str(int(minute))}


def _cron_fields(expression: str) -> dict[str, str]:
    parts = SHORTCUTS.get(expression.lower(), expression).split()
    minute, hour, day, month, weekday = parts[-5:]
    if not day.startswith("*") and not weekday.startswith("*"):
        day = weekday = "*"
    values = (minute, hour, day, month, _weekdays(weekday))
    return {
        name: text if _is_accepted(name, text) else "*"
        for name, text in zip(_FIELDS, values, strict=True)
    }


def _weekdays(text: str) -> str:
    """Write Sunday as 0, as Celery does not accept 7."""
    if "7" not in text:
        return text
    try:
        numbers = {number % 7 for number in parse_numbers(WEEKDAY, text.upper())}
    except CronSyntaxError:
        return "*"
    return write_numbers(WEEKDAY, numbers) if len(numbers) < 7 else "*"


def _is_accepted(name: str, text: str) -> bool:
    """Return whether Celery accepts this text for a field, and its column holds it."""
    if len(text) > (CrontabSchedule._meta.get_field(name).max_length or 0):
        return False
    try:
        crontab(**{name: text})
    except (ParseException, ValueError):
        return False
    return True


def _row(model: Any, wanted: dict[str, Any]) -> Any:
    """Return the row of a schedule; create it once if several transactions miss it.

    The insert sends no Django signals, because theirs lock one global row until the
    commit. Only transactions that create a row wait for each other.
    """
    rows = model.objects.filter(**wanted).order_by("pk")
    if found := rows.first():
        return found
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MIRROR_LOCK])
    return rows.first() or model.objects.bulk_create([model(**wanted)])[0]


@dataclass(slots=True, kw_only=True)
class Difference:
    """The number of mirrors that are missing, wrong, or without a trigger."""

    schedules: int = 0
    missing: int = 0
    wrong: int = 0
    orphaned: int = 0

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.wrong or self.orphaned)


def reconcile(*, is_check: bool = False) -> Difference:
    """Rebuild the mirrors that differ; with `is_check`, only count them.

    Triggers can be edited meanwhile: each mirror is written under its trigger's lock.
    """
    found = Difference()
    for triggers in _chunks():
        names = [mirror_name(trigger.id) for trigger in triggers]
        rows = PeriodicTask.objects.filter(name__in=names)
        rows = rows.select_related("crontab", "interval")
        mirrors: dict[str, Any] = {mirror.name: mirror for mirror in rows}
        found.schedules += len(triggers)
        for trigger in triggers:
            mirror = mirrors.get(mirror_name(trigger.id))
            if _is_correct(mirror, trigger):
                continue
            found.missing += mirror is None
            found.wrong += mirror is not None
            if is_check:
                continue
            with transaction.atomic():
                held = Trigger.objects.select_for_update(no_key=True).present()
                if current := held.filter(pk=trigger.pk).first():
                    get_clock().update_schedule(current)
    act = "SELECT count(*)" if is_check else "DELETE"
    with connection.cursor() as cursor:
        cursor.execute(f"{act} {_ORPHANS}", [MIRROR_PREFIX, AFTER_MIRRORS])
        found.orphaned = int(cursor.fetchone()[0]) if is_check else cursor.rowcount
    return found


def _chunks() -> Iterator[list[Trigger]]:
    """Yield all triggers with a schedule, a thousand at a time."""
    triggers = Trigger.objects.present().filter(trigger_type=TriggerType.CRON)
    rest = triggers.order_by("pk")
    while chunk := list(rest[:CHUNK]):
        yield chunk
        rest = triggers.filter(pk__gt=chunk[-1].pk).order_by("pk")


def _is_correct(mirror: Any, trigger: Trigger) -> bool:
    """Return whether the mirror, or its absence, agrees with the trigger."""
    if mirror is None:
        return not trigger.can_run
    is_enabled = trigger.can_run and trigger.next_run_time is not None
    return (
        mirror.enabled == is_enabled
        and mirror.task == CLAIM_DUE
        and read_nearest(mirror) == nearest_to(trigger)
    )
