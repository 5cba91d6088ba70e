from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import AgentTask
from events.models import EventSource
from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.document import iso
from executions.pipeline.drain import drain
from executions.services.run import run_trigger
from tests.executions.test_evaluate import OVER_1000, judged
from tests.factories import make_listener, make_trigger, record
from triggers.models import Trigger
from triggers.services.lifecycle import disable_trigger, update_trigger

pytestmark = pytest.mark.django_db


def paused(**fields: Any) -> Trigger:
    """A trigger that takes nothing up for a day."""
    tomorrow = timezone.now() + timedelta(days=1)
    return make_listener(paused_until=tomorrow, **fields)


@pytest.mark.parametrize("is_aimed", [False, True])
def test_what_comes_during_a_pause_is_skipped(is_aimed: bool) -> None:
    trigger = paused()

    execution = judged(trigger_id=trigger.id if is_aimed else None)

    assert (execution.status, execution.reason) == ("skipped", "paused")
    assert not AgentTask.objects.exists()


def test_what_comes_after_a_pause_runs() -> None:
    make_listener(paused_until=timezone.now() - timedelta(seconds=1))

    assert judged().status == ExecutionStatus.SUCCESS


def test_what_came_before_the_end_of_a_pause_stays_skipped_after_it() -> None:
    trigger = make_listener()
    event = record()
    end = event.received_at + timedelta(microseconds=1)
    Trigger.objects.filter(pk=trigger.pk).update(paused_until=end)
    drain()

    assert TriggerExecution.objects.get().reason == "paused"


def test_a_due_instant_recorded_before_a_pause_and_worked_in_it_is_skipped() -> None:
    trigger = make_trigger()
    event = record(
        type="schedule.due",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        scheduled_for=timezone.now(),
    )
    tomorrow = event.received_at + timedelta(days=1)
    update_trigger(trigger_id=trigger.id, fields={"paused_until": tomorrow})
    drain()

    assert TriggerExecution.objects.get().reason == "paused"


def test_a_person_may_run_a_paused_trigger() -> None:
    run_trigger(trigger_id=paused().id)
    drain()

    assert TriggerExecution.objects.get().status == ExecutionStatus.SUCCESS


def switched_off() -> Trigger:
    return disable_trigger(trigger_id=make_listener().id)


def backfilled(trigger: Trigger) -> TriggerExecution:
    """What becomes of an instant of last year that a person asked for."""
    return judged(
        type="schedule.backfill",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        scheduled_for=timezone.now() - timedelta(days=365),
    )


@pytest.mark.parametrize("make", [paused, switched_off])
def test_a_backfill_runs_though_its_trigger_takes_nothing_up(
    make: Callable[[], Trigger],
) -> None:
    assert backfilled(make()).status == ExecutionStatus.SUCCESS


def test_a_backfill_is_judged_by_the_conditions() -> None:
    trigger = make_listener(conditions=OVER_1000)

    assert backfilled(trigger).reason == "conditions_not_met"


def test_a_backfills_task_says_so_and_how_late_it_is() -> None:
    execution = backfilled(make_listener())

    assert execution.task is not None
    assert execution.event.scheduled_for is not None
    metadata = execution.task.metadata
    assert metadata["backfill"] is True
    assert metadata["scheduled_for"] == iso(execution.event.scheduled_for)
    assert round(metadata["lateness_seconds"] / 86_400) == 365
