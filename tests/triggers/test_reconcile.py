from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django import DjangoAssertNumQueries

from tests.factories import make_trigger
from triggers.clocks.mirror import Difference, mirror_name, reconcile
from triggers.models import Trigger

pytestmark = pytest.mark.django_db(transaction=True)


def make_daily() -> Trigger:
    return make_trigger(trigger_type="cron", schedule_type="daily")


def mirrors_of(trigger: Trigger) -> list[PeriodicTask]:
    return list(PeriodicTask.objects.filter(name=mirror_name(trigger.id)))


def output_of(*options: str) -> str:
    out = StringIO()
    call_command("reconcile_schedules", *options, stdout=out)
    return out.getvalue()


def break_three() -> tuple[Trigger, Trigger]:
    """Delete one mirror, change another and add one without a trigger."""
    missing, wrong = make_daily(), make_daily()
    make_daily()
    PeriodicTask.objects.filter(name=mirror_name(missing.id)).delete()
    every = IntervalSchedule.objects.create(every=7, period="seconds")
    PeriodicTask.objects.filter(name=mirror_name(wrong.id)).update(
        crontab=None, interval=every
    )
    PeriodicTask.objects.create(
        name=mirror_name(make_trigger().id), task="x", interval=every
    )
    return missing, wrong


def test_mirrors_that_differ_are_rebuilt() -> None:
    missing, wrong = break_three()

    text = output_of()

    assert text == (
        "3 schedules: 1 mirrors missing, 1 wrong, 1 without a schedule; rebuilt\n"
    )
    assert [str(m.crontab.hour) for m in mirrors_of(missing)] == ["9"]
    assert [m.interval for m in mirrors_of(wrong)] == [None]
    assert reconcile(is_check=True) == Difference(schedules=3)
    assert output_of() == "3 schedules, all mirrors are correct\n"


def test_a_check_of_differences_changes_nothing_and_fails() -> None:
    missing, _ = break_three()
    before = set(PeriodicTask.objects.values_list("name", "interval_id"))

    with pytest.raises(SystemExit) as ended:
        output_of("--check")

    assert ended.value.code == 1
    assert mirrors_of(missing) == []
    assert set(PeriodicTask.objects.values_list("name", "interval_id")) == before


def test_a_check_without_differences_succeeds() -> None:
    make_daily()

    assert json.loads(output_of("--check", "--json")) == {
        "schedules": 1,
        "missing": 0,
        "wrong": 0,
        "orphaned": 0,
    }


def test_a_disabled_trigger_has_a_disabled_mirror() -> None:
    trigger = make_daily()
    Trigger.objects.filter(pk=trigger.pk).update(is_active=False, next_run_time=None)

    assert reconcile() == Difference(schedules=1, wrong=1)

    assert [m.enabled for m in mirrors_of(trigger)] == [False]


def test_other_periodic_tasks_are_unchanged() -> None:
    every = IntervalSchedule.objects.create(every=7, period="seconds")
    PeriodicTask.objects.create(name="cron-trigger", task="x", interval=every)
    PeriodicTask.objects.create(name="cron-trigger.x", task="x", interval=every)

    assert reconcile() == Difference()

    assert PeriodicTask.objects.filter(task="x").count() == 2


def test_a_check_makes_the_same_queries_for_many_as_for_few(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(5):
        make_daily()

    with django_assert_num_queries(4):
        reconcile(is_check=True)
