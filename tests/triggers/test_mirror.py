from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.db.models.signals import post_save, pre_save
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from tests.factories import make_trigger
from tests.races import race
from triggers.clock import get_clock
from triggers.models import Trigger
from triggers.services.lifecycle import (
    delete_trigger,
    disable_trigger,
    enable_trigger,
    update_trigger,
)

pytestmark = pytest.mark.django_db


def make_cron(expression: str = "0 3 * * *", **fields: Any) -> Trigger:
    return make_trigger(
        trigger_type="cron",
        schedule_type="cron",
        cron_expression=expression,
        **fields,
    )


def mirror_of(trigger: Trigger) -> PeriodicTask:
    return PeriodicTask.objects.get(name=f"cron-trigger-{trigger.id}")


def crontab_of(trigger: Trigger) -> str:
    crontab = mirror_of(trigger).crontab
    return (
        f"{crontab.minute} {crontab.hour} {crontab.day_of_month} "
        f"{crontab.month_of_year} {crontab.day_of_week}"
    )


@pytest.mark.parametrize(
    ("expression", "nearest"),
    [
        ("*/5 2-4 * * 1-5", "*/5 2-4 * * 1-5"),
        ("30 0 3 * * *", "0 3 * * *"),
        ("0 3 L * *", "0 3 * * *"),
        ("0 3 * * 5#2", "0 3 * * *"),
        ("0 3 1 * 1", "0 3 * * *"),
        ("0 3 * * 7", "0 3 * * 0"),
        ("0 3 * * 0-7", "0 3 * * *"),
        ("0 3 * * 5-7", "0 3 * * 0,5,6"),
        ("0 3 * * sat,7", "0 3 * * 0,6"),
        (f"0 {','.join(['3'] * 60)} * * *", "0 * * * *"),
        ("0 3 * * mon", "0 3 * * mon"),
        ("@daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
    ],
)
def test_a_cron_trigger_is_mirrored_by_the_nearest_crontab(
    expression: str, nearest: str
) -> None:
    trigger = make_cron(expression, timezone="Europe/Berlin")

    assert crontab_of(trigger) == nearest
    assert str(mirror_of(trigger).crontab.timezone) == "Europe/Berlin"
    assert mirror_of(trigger).interval is None


@pytest.mark.parametrize(
    ("schedule_type", "config", "nearest"),
    [
        ("daily", {"time": "07:30"}, "30 7 * * *"),
        ("daily", {}, "0 9 * * *"),
        ("daily", {"time": None}, "0 9 * * *"),
        ("weekly", {"day": 0, "time": "07:30"}, "30 7 * * 1"),
        ("weekly", {"day": 6}, "0 9 * * 0"),
        ("weekly", {"day": None}, "0 9 * * 1"),
        ("once", {"at": "2100-01-01T00:00:00Z"}, "* * * * *"),
    ],
)
def test_other_schedules_are_mirrored_by_a_crontab(
    schedule_type: str, config: dict[str, object], nearest: str
) -> None:
    trigger = make_trigger(
        trigger_type="cron", schedule_type=schedule_type, schedule_config=config
    )

    assert crontab_of(trigger) == nearest


@pytest.mark.parametrize(
    ("config", "seconds"),
    [({"interval_seconds": 90}, 90), ({"interval_seconds": None}, 3600), ({}, 3600)],
)
def test_an_interval_is_mirrored_by_an_interval(
    config: dict[str, object], seconds: int
) -> None:
    trigger = make_trigger(
        trigger_type="cron", schedule_type="interval", schedule_config=config
    )

    mirror = mirror_of(trigger)
    assert (mirror.interval.every, mirror.interval.period) == (seconds, "seconds")
    assert mirror.crontab is None


def test_a_mirror_follows_its_trigger() -> None:
    trigger = make_cron()
    mirror = mirror_of(trigger)
    assert (mirror.enabled, mirror.task) == (True, "triggers.tasks.claim_due")
    assert (mirror.queue, mirror.expire_seconds) == ("clock", 5)

    disable_trigger(trigger_id=trigger.id)
    assert not mirror_of(trigger).enabled

    enable_trigger(trigger_id=trigger.id)
    update_trigger(trigger_id=trigger.id, fields={"cron_expression": "5 4 * * *"})
    assert mirror_of(trigger).enabled
    assert crontab_of(trigger) == "5 4 * * *"
    assert mirror_of(trigger).pk == mirror.pk


def test_a_disabled_trigger_stays_disabled_when_it_is_edited() -> None:
    trigger = make_cron(is_active=False)

    update_trigger(trigger_id=trigger.id, fields={"cron_expression": "5 4 * * *"})

    assert not mirror_of(trigger).enabled


@pytest.mark.django_db(transaction=True)
def test_the_mirror_of_a_deleted_trigger_is_deleted() -> None:
    trigger = make_cron()

    delete_trigger(trigger_id=trigger.id)

    assert not PeriodicTask.objects.filter(name__contains=str(trigger.id)).exists()
    assert get_clock().get_trigger_status(trigger.id) == {"status": "not_running"}


@pytest.mark.django_db(transaction=True)
def test_a_deleted_mirror_is_recreated_with_its_counts() -> None:
    trigger = make_cron()
    Trigger.objects.filter(pk=trigger.pk).update(scheduled_runs=20)

    with transaction.atomic():
        get_clock().unschedule_trigger(trigger.id)
        status = get_clock().get_trigger_status(trigger.id)
        get_clock().schedule_trigger(trigger)

    assert status == {"status": "not_running"}
    assert (mirror_of(trigger).enabled, mirror_of(trigger).total_run_count) == (
        True,
        20,
    )


@pytest.mark.django_db(transaction=True)
def test_eight_concurrent_writers_create_one_schedule_row() -> None:
    def make_both() -> None:
        make_cron("7 7 * * *")
        make_trigger(
            trigger_type="cron",
            schedule_type="interval",
            schedule_config={"interval_seconds": 77},
        )

    race(make_both)

    assert CrontabSchedule.objects.filter(minute="7", hour="7").count() == 1
    assert IntervalSchedule.objects.filter(every=77).count() == 1
    assert PeriodicTask.objects.filter(name__startswith="cron-trigger-").count() == 16


def test_mirrors_are_written_without_signals() -> None:
    received: list[object] = []

    def on_signal(sender: object, **_: object) -> None:
        received.append(sender)

    for signal in (pre_save, post_save):
        for sender in (PeriodicTask, CrontabSchedule, IntervalSchedule):
            signal.connect(on_signal, sender=sender, dispatch_uid=f"{signal}{sender}")
    try:
        trigger = make_cron("1 1 1 1 *")
        disable_trigger(trigger_id=trigger.id)
    finally:
        for signal in (pre_save, post_save):
            for sender in (PeriodicTask, CrontabSchedule, IntervalSchedule):
                signal.disconnect(sender=sender, dispatch_uid=f"{signal}{sender}")

    assert received == []


def test_a_trigger_without_a_schedule_has_no_mirror() -> None:
    trigger = make_trigger()

    assert not PeriodicTask.objects.filter(name__contains=str(trigger.id)).exists()


def test_the_status_of_the_clock_is_that_of_the_trigger() -> None:
    trigger = make_cron()

    status = get_clock().get_trigger_status(trigger.id)

    assert status["status"] == "running"
    assert status["next_run_time"] == trigger.next_run_time
