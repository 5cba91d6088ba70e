from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db.models import F

from agents.models import AgentTask, TaskStatus
from common.ids import uuid7
from executions import tasks
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.services import waiting
from executions.services.run import run_trigger
from executions.services.waiting import start_unblocked, start_waiting
from tests.executions.flow import deliver_event, finish, history, under_way
from tests.factories import make_listener, record
from tests.races import ROUNDS, race, race_all
from triggers.models import Overlap, Trigger, TriggerStats
from triggers.services.lifecycle import (
    delete_trigger,
    disable_trigger,
    enable_trigger,
    update_trigger,
)
from triggers.services.stats import fold_stats

pytestmark = pytest.mark.django_db(transaction=True)

WAITS, SKIPPED, DROPPED = "pending: overlap", "skipped: overlap", "skipped: inactive"


def queued(count: int, overlap: str = Overlap.BUFFER_ALL) -> Trigger:
    """A trigger with one run under way and others that wait."""
    trigger = make_listener(overlap=overlap)
    for _ in range(count + 1):
        deliver_event(trigger)
    assert history(trigger) == ["success", *[WAITS] * count]
    return trigger


def end_run(trigger: Trigger) -> None:
    """End the run that is under way, without starting the next."""
    (task,) = under_way(trigger)
    finish(task)


def test_nothing_starts_while_a_run_is_under_way() -> None:
    trigger = queued(1)

    assert start_waiting([trigger.id]) == 0
    assert start_unblocked() == 0

    assert history(trigger) == ["success", WAITS]


def test_waiting_runs_start_one_by_one_in_the_order_of_their_events() -> None:
    trigger = queued(2)
    second, third = TriggerExecution.objects.order_by("event_id")[1:]
    end_run(trigger)

    assert start_waiting([trigger.id]) == 1

    assert history(trigger) == ["success", "success", WAITS]
    assert [task.id for task in under_way(trigger)] == [second.task_id]
    assert under_way(trigger)[0].status == TaskStatus.SUBMITTED
    second.refresh_from_db()
    assert second.execution_time_ms is not None
    end_run(trigger)
    assert start_waiting([trigger.id]) == 1
    assert [task.id for task in under_way(trigger)] == [third.task_id]


def test_the_end_of_a_run_enqueues_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    path = "executions.services.callbacks.enqueue"
    monkeypatch.setattr(path, lambda task, *args: asked.append((task.name, *args)))
    trigger = queued(1)

    end_run(trigger)

    assert asked == [("executions.tasks.start_waiting", [str(trigger.id)])]


def test_the_celery_task_starts_a_waiting_run() -> None:
    trigger = queued(1)
    end_run(trigger)

    tasks.start_waiting([str(trigger.id)])

    assert history(trigger) == ["success", "success"]


def test_no_celery_task_is_enqueued_if_no_run_can_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []
    path = "executions.services.callbacks.enqueue"
    monkeypatch.setattr(path, lambda task, *args: asked.append(task))
    trigger = make_listener()
    deliver_event(trigger)

    end_run(trigger)

    assert asked == []


def test_the_sweep_starts_a_waiting_run_after_a_lost_message() -> None:
    triggers = [queued(1) for _ in range(3)]
    for trigger in triggers[:2]:
        end_run(trigger)

    assert start_unblocked() == 2

    assert [history(trigger)[1] for trigger in triggers] == ["success"] * 2 + [WAITS]


def test_sweeps_check_all_triggers_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_TRIGGERS", 2)
    triggers = [queued(1) for _ in range(5)]
    for trigger in triggers:
        end_run(trigger)

    assert [start_unblocked() for _ in range(4)] == [2, 2, 1, 0]


def test_a_waiting_run_is_counted_once_when_it_ends() -> None:
    trigger = queued(1)
    fold_stats()
    assert TriggerStats.objects.get(pk=trigger.pk).total_executions == 1
    end_run(trigger)

    start_waiting([trigger.id])

    fold_stats()
    stats = TriggerStats.objects.get(pk=trigger.pk)
    assert (stats.total_executions, stats.successful_executions) == (2, 2)
    assert (stats.failed_executions, stats.skipped_executions) == (0, 0)


def switch_off_and_on(*, trigger_id: UUID) -> None:
    disable_trigger(trigger_id=trigger_id)
    enable_trigger(trigger_id=trigger_id)


@pytest.mark.parametrize(
    "switch_off", [disable_trigger, delete_trigger, switch_off_and_on]
)
def test_waiting_runs_are_skipped_when_their_trigger_is_disabled(
    switch_off: Callable[..., object],
) -> None:
    trigger = queued(3)
    switch_off(trigger_id=trigger.id)
    end_run(trigger)

    assert start_waiting([trigger.id]) == 0

    assert history(trigger) == ["success", *[DROPPED] * 3]
    cancelled = AgentTask.objects.filter(status=TaskStatus.CANCELLED)
    assert set(cancelled.values_list("error", flat=True)) == {
        "Cancelled: its trigger was disabled while it waited"
    }
    assert cancelled.count() == 3
    fold_stats()
    stats = TriggerStats.objects.get(pk=trigger.pk)
    assert (stats.total_executions, stats.skipped_executions) == (4, 3)


def test_a_run_by_hand_waits_for_its_turn_on_a_disabled_trigger() -> None:
    trigger = queued(1)
    disable_trigger(trigger_id=trigger.id)
    run_trigger(trigger_id=trigger.id)
    drain()
    end_run(trigger)

    assert (start_unblocked(), start_unblocked()) == (0, 1)

    assert history(trigger) == ["success", DROPPED, "success"]


@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_runs_that_waited_under_another_policy_run_one_by_one(overlap: str) -> None:
    trigger = queued(2)
    update_trigger(trigger_id=trigger.id, fields={"overlap": overlap})
    end_run(trigger)

    start_unblocked()

    assert history(trigger) == ["success", "success", WAITS]


def test_after_a_change_to_allow_waiting_runs_start() -> None:
    trigger = queued(2)
    update_trigger(trigger_id=trigger.id, fields={"overlap": "allow"})
    deliver_event(trigger)

    start_unblocked()

    assert history(trigger) == ["success", "success", WAITS, "success"]
    assert start_waiting([trigger.id]) == 1


def test_a_waiting_run_starts_although_its_trigger_was_paused() -> None:
    trigger = queued(1)
    later = trigger.created_at + timedelta(days=1)
    update_trigger(trigger_id=trigger.id, fields={"paused_until": later})
    end_run(trigger)

    assert start_waiting([trigger.id]) == 1


def test_a_wait_of_months_can_be_stored() -> None:
    trigger = queued(1)
    old = F("executed_at") - timedelta(days=60)
    TriggerExecution.objects.update(executed_at=old)
    end_run(trigger)

    assert start_waiting([trigger.id]) == 1

    longest = TriggerExecution.objects.filter(execution_time_ms=2**31 - 1)
    assert longest.count() == 1


def test_an_unknown_trigger_starts_nothing() -> None:
    assert start_waiting([uuid7()]) == 0


def test_eight_workers_start_one_waiting_run() -> None:
    trigger = queued(2)
    for _ in range(ROUNDS):
        end_run(trigger)

        assert sum(race(partial(start_waiting, [trigger.id]))) == 1
        assert len(under_way(trigger)) == 1
        deliver_event(trigger)


def test_no_run_is_stuck_and_no_two_overlap_while_runs_end_and_events_arrive() -> None:
    trigger = queued(1, Overlap.BUFFER_ONE)
    for _ in range(ROUNDS):
        record(trigger_id=trigger.id)
        acts: list[Callable[[], object]] = [drain, start_unblocked] * 3
        acts += [partial(end_run, trigger), partial(start_waiting, [trigger.id])]
        race_all(acts)
        start_unblocked()
        drain()

        assert len(under_way(trigger)) == 1
        assert history(trigger).count(WAITS) <= 1
        deliver_event(trigger)
