from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from benchmarks.schedule.entries import (
    EDITED,
    LAST_RUN,
    QUEUE,
    TASK,
    Due,
    copy_row,
    entry_name,
    hourly_instants,
    settle,
)
from benchmarks.schedule.side import Side, delete_entries
from triggers.clocks.mirror import HEARTBEAT_NAME, SWEEP_NAME

_MAKE_DUE = """
UPDATE django_celery_beat_periodictask
SET crontab_id = NULL, interval_id = %s::int,
    last_run_at = %s::timestamptz + split_part(name, ' ', 2)::int * %s::interval
WHERE name LIKE 'entry %%' AND split_part(name, ' ', 2)::int < %s::int
"""


class StockSide(Side):
    """django-celery-beat: an entry is a PeriodicTask."""

    name = "stock"
    scheduler = "django_celery_beat.schedulers:DatabaseScheduler"

    def fill(self, count: int) -> None:
        delete_entries()
        own = PeriodicTask.objects.filter(name__in=(HEARTBEAT_NAME, SWEEP_NAME))
        own.update(enabled=False)
        now = datetime.now(UTC)
        crontabs = make_crontabs(now)
        model = PeriodicTask(
            name="model", task=TASK, queue=QUEUE, crontab=crontabs[0], args="[1]"
        )
        model.last_run_at = now - LAST_RUN
        model.save()
        copy_row(
            model,
            "generate_series(0, %s::int - 1) n",
            [[crontab.pk for crontab in crontabs], len(crontabs), count],
            name="'entry ' || n",
            crontab_id="(%s::int[])[1 + n %% %s::int]",
        )
        model.delete()
        settle()

    def make_due(self, due: Due) -> None:
        interval = self._interval(int(due.every.total_seconds()))
        values = [interval.pk, due.at - due.every, due.apart, due.count]
        with connection.cursor() as cursor:
            cursor.execute(_MAKE_DUE, values)
        settle()

    def edit(self, number: int) -> None:
        task = PeriodicTask.objects.get(name=entry_name(number))
        task.crontab = None
        task.interval = self._interval(int(EDITED.total_seconds()))
        task.save()

    def _interval(self, seconds: int) -> IntervalSchedule:
        wanted = {"every": seconds, "period": IntervalSchedule.SECONDS}
        return IntervalSchedule.objects.get_or_create(**wanted)[0]


def make_crontabs(now: datetime) -> list[CrontabSchedule]:
    """Return an hourly crontab for each minute of `hourly_instants`, in their order."""
    return CrontabSchedule.objects.bulk_create(  # type: ignore[no-any-return]
        [
            CrontabSchedule(minute=str(at.minute), timezone="UTC")
            for at in hourly_instants(now)
        ]
    )
