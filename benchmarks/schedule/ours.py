from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django_celery_beat.models import PeriodicTask

from agents.models import Agent
from benchmarks.reset import reset_all
from benchmarks.schedule.entries import (
    Due,
    copy_row,
    entry_name,
    hourly_instants,
    settle,
)
from benchmarks.schedule.side import Lateness, Side, delete_entries
from benchmarks.schedule.stock import make_crontabs
from events.models import Event
from triggers.clocks.mirror import MIRROR_PREFIX, mirror_name
from triggers.models import ScheduleType, ScheduleVersion, Trigger, TriggerType
from triggers.services.lifecycle import create_trigger, update_trigger

# The change has to be stored before the instant that it names.
EDITED_AHEAD = timedelta(seconds=0.2)

# Each has its own anchor, so that no two triggers share a compiled schedule.
_MAKE_DUE = """
UPDATE triggers_trigger t SET schedule_type = 'interval', cron_expression = NULL,
    schedule_config = jsonb_build_object('interval_seconds', %s::int),
    schedule_anchor = d.at - d.number * %s::interval,
    next_run_time = d.at, next_scheduled_for = d.at
FROM (
    SELECT id, number, %s::timestamptz + number * %s::interval AS at FROM (
        SELECT id, split_part(name, ' ', 2)::int AS number FROM triggers_trigger
    ) n WHERE number < %s::int
) d WHERE t.id = d.id
"""
_LATENESS = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
    ORDER BY extract(epoch FROM received_at - scheduled_for)
) FROM events_event
"""


class OurSide(Side):
    """Tickhook: an entry is a trigger with its statistics, history and mirror."""

    name = "ours"
    scheduler = "triggers.clocks.scheduler:TickhookScheduler"

    def fill(self, count: int) -> None:
        delete_entries()
        model = _make_template()
        _copy_trigger(model, count)
        _copy_mirror(model)
        PeriodicTask.objects.filter(name=mirror_name(model.id)).delete()
        model.delete()
        settle()

    def make_due(self, due: Due) -> None:
        seconds = int(due.every.total_seconds())
        values: list[Any] = [seconds, due.every, due.at, due.apart, due.count]
        with connection.cursor() as cursor:
            cursor.execute(_MAKE_DUE, values)
        settle()

    def edit(self, number: int) -> None:
        trigger = Trigger.objects.only("id").get(name=entry_name(number))
        fields = {
            "schedule_type": ScheduleType.INTERVAL,
            "schedule_config": {"interval_seconds": 3600},
            "start_at": datetime.now(UTC) + EDITED_AHEAD,
        }
        update_trigger(trigger_id=trigger.id, fields=fields)

    def fired(self) -> int:
        return Event.objects.count()

    def reset_fired(self) -> None:
        reset_all()

    def lateness(self) -> Lateness | None:
        with connection.cursor() as cursor:
            cursor.execute(_LATENESS)
            p50, p99 = cursor.fetchone()[0]
        return Lateness(p50=p50, p99=p99)


def _make_template() -> Trigger:
    agent, _ = Agent.objects.get_or_create(
        name="echo",
        defaults={
            "backend": "celery",
            "config": {"task": "agents.tasks.echo", "queue": "agents"},
        },
    )
    fields = {
        "name": "entry -1",
        "agent": agent,
        "trigger_type": TriggerType.CRON,
        "schedule_type": ScheduleType.CRON,
        "cron_expression": "0 * * * *",
        "max_executions_per_hour": None,
    }
    return create_trigger(fields=fields).trigger


def _copy_trigger(model: Trigger, count: int) -> None:
    instants = hourly_instants(datetime.now(UTC))
    minutes = [at.minute for at in instants]
    copy_row(
        model,
        "(SELECT n, 1 + n %% %s::int AS place, %s::int[] AS minutes, "
        "%s::timestamptz[] AS instants FROM generate_series(0, %s::int - 1) n) new",
        [len(instants), minutes, instants, count],
        id="uuidv7()",
        name="'entry ' || n",
        cron_expression="minutes[place] || ' * * * *'",
        next_run_time="instants[place]",
        next_scheduled_for="instants[place]",
    )
    others = "(SELECT id AS new_id FROM triggers_trigger WHERE id <> %s) new"
    copy_row(model.stats, others, [model.id], trigger_id="new_id")
    version = ScheduleVersion.objects.get(trigger=model)
    copy_row(version, others, [model.id], id="uuidv7()", trigger_id="new_id")


def _copy_mirror(model: Trigger) -> None:
    crontabs = {int(row.minute): row.pk for row in make_crontabs(datetime.now(UTC))}
    ids = [crontabs.get(minute) for minute in range(60)]
    copy_row(
        PeriodicTask.objects.get(name=mirror_name(model.id)),
        "(SELECT id AS trigger_id, %s::int[] AS crontabs, "
        "split_part(cron_expression, ' ', 1)::int AS minute FROM triggers_trigger "
        "WHERE id <> %s) new",
        [ids, model.id],
        name=f"'{MIRROR_PREFIX}' || trigger_id",
        crontab_id="crontabs[1 + minute]",
    )
