from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection
from django.utils import timezone
from django_celery_beat.models import (
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
)
from pytest_django import Settings

from common.redis import ask_redis
from config.celery import app
from tests.factories import make_trigger
from tests.outages import read_only_database
from tests.races import ROUNDS, race_all
from triggers.clocks import scheduler
from triggers.clocks.scheduler import ClaimedEntry, TickhookScheduler

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_other_tasks(transactional_db: None) -> None:
    """Delete the periodic tasks that the migrations created; they can be due, too."""
    PeriodicTask.objects.all().delete()


def make_task(name: str = "report", **fields: Any) -> PeriodicTask:
    """Create a person's periodic task that has been due for a second."""
    if "crontab" not in fields:
        every = IntervalSchedule.objects.get_or_create(every=60, period="seconds")
        fields["interval"] = every[0]
    task = PeriodicTask.objects.create(
        name=name, task="shop.reports", queue="reports", **fields
    )
    due_since = timezone.now() - timedelta(seconds=61)
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=due_since)
    return PeriodicTask.objects.get(pk=task.pk)


def make_scheduler() -> TickhookScheduler:
    """Return a scheduler that has read the schedule; its ticker is not started."""
    scheduler = TickhookScheduler(app=app, lazy=True)
    scheduler.populate_heap()
    return scheduler


def messages() -> int:
    return ask_redis(lambda r: int(r.llen("reports")), otherwise=-1)


def entry_of(task: PeriodicTask) -> ClaimedEntry:
    return ClaimedEntry(PeriodicTask.objects.get(pk=task.pk), app=app)


def test_the_mirrors_of_triggers_are_not_loaded() -> None:
    shipped = set(make_scheduler().schedule)
    make_trigger(trigger_type="cron", schedule_type="daily")
    make_task()

    assert set(make_scheduler().schedule) - shipped == {"report"}


def test_tasks_of_other_hours_are_loaded() -> None:
    shipped = set(make_scheduler().schedule)
    far = (timezone.now().hour + 12) % 24
    make_task(crontab=CrontabSchedule.objects.create(minute="0", hour=str(far)))

    assert set(make_scheduler().schedule) - shipped == {"report"}


def test_a_turn_that_a_read_only_database_rejected_is_claimed_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler, "RETRY_SECONDS", 0)
    task = make_task()
    beat, entry = make_scheduler(), entry_of(task)

    with read_only_database():
        connection.close()
        assert not beat.reserve(entry).is_claimed
    beat.reserve(entry)

    assert entry.is_claimed


def test_exactly_one_of_two_beats_sends() -> None:
    task = make_task()
    beats = [make_scheduler(), make_scheduler()]

    for beat in beats:
        beat.tick()

    assert messages() == 1
    task.refresh_from_db()
    assert task.total_run_count == 1


def test_exactly_one_of_eight_beats_claims_the_turn() -> None:
    for number in range(ROUNDS):
        task = make_task(f"report-{number}")
        entries = [entry_of(task) for _ in range(8)]

        race_all([entry.take_turn for entry in entries])

        assert sum(entry.is_claimed for entry in entries) == 1
        task.refresh_from_db()
        assert task.total_run_count == 1


def test_a_beat_that_loses_the_turn_reads_the_stored_state() -> None:
    task = make_task()
    winner, loser = entry_of(task), entry_of(task)
    winner.take_turn()

    following = loser.take_turn()

    task.refresh_from_db()
    assert (following.last_run_at, following.total_run_count) == (task.last_run_at, 1)
    assert not following.is_due().is_due


def test_the_first_turn_of_a_task_is_claimed_once() -> None:
    task = make_task()
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=None)
    first, second = entry_of(task), entry_of(task)

    first.take_turn(), second.take_turn()

    assert (first.is_claimed, second.is_claimed) == (True, False)


def test_the_same_beat_continues_the_count_of_runs() -> None:
    task = make_task()

    entry_of(task).take_turn().take_turn()

    task.refresh_from_db()
    assert task.total_run_count == 2


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_deleted_task_is_not_sent(is_deleted: bool) -> None:
    task = make_task()
    beat = make_scheduler()
    if is_deleted:
        task.delete()
    else:
        PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)

    beat.tick()

    assert messages() == 0


def test_a_turn_stays_due_while_the_database_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_task()
    beat = make_scheduler()
    monkeypatch.setattr(scheduler, "RETRY_SECONDS", 0)

    def fail(entry: ClaimedEntry) -> ClaimedEntry:
        raise Error

    with monkeypatch.context() as away:
        away.setattr(ClaimedEntry, "take_turn", fail)
        beat.tick()

    assert messages() == 0
    beat.tick()
    assert messages() == 1


def test_a_change_of_a_trigger_does_not_reload_the_schedule_of_beat(
    settings: Settings,
) -> None:
    PeriodicTasks.update_changed()
    beat = make_scheduler()
    beat.schedule_changed()

    make_trigger(trigger_type="cron", schedule_type="daily")

    assert not beat.schedule_changed()
    settings.CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
    make_trigger(trigger_type="cron", schedule_type="daily")
    assert beat.schedule_changed()
