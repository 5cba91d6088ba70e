from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from agents.models import AgentKind, AgentTask, TaskStatus
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.services.run import backfill_trigger
from executions.services.status import read_status
from tests.factories import make_agent, make_trigger
from tests.triggers.due_triggers import NOON, make_due
from triggers.models import Trigger
from triggers.services.claim import claim_due
from triggers.services.lifecycle import (
    TriggerNotFound,
    delete_trigger,
    disable_trigger,
)
from triggers.services.scheduling import jitter_of
from triggers.services.stats import fold_stats

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def run_once(trigger: Trigger) -> TriggerExecution:
    claim_due(now=NOON)
    drain()
    fold_stats()
    return TriggerExecution.objects.get(trigger=trigger)


def test_a_new_trigger_has_only_next_runs() -> None:
    trigger = make_trigger(
        trigger_type="cron", schedule_type="daily", jitter_seconds=3600
    )

    state = read_status(trigger_id=trigger.pk)

    assert (state.status, state.workflow_id) == ("active", None)
    assert (state.last_run, state.last_error, state.lateness_seconds) == (None,) * 3
    assert state.run_count == 0
    first = trigger.next_scheduled_for
    assert first is not None
    days = [first + timedelta(days=n) for n in range(5)]
    assert [run.scheduled_for for run in state.next_runs] == days
    due = [at + jitter_of(trigger) for at in days]
    assert [run.due_at for run in state.next_runs] == due
    assert state.clock["status"] == "running"


def test_the_last_run_is_shown_with_its_lateness() -> None:
    trigger = make_due()
    execution = run_once(trigger)

    state = read_status(trigger_id=trigger.pk)

    assert (state.last_run, state.run_count) == (execution.executed_at, 1)
    late = (execution.event.received_at - NOON).total_seconds()
    assert state.lateness_seconds == round(late, 3)
    assert state.last_failure is None


def test_a_backfill_is_not_late() -> None:
    trigger = make_due()
    backfill_trigger(trigger_id=trigger.pk, since=NOON - MINUTE)
    drain()

    state = read_status(trigger_id=trigger.pk)

    execution = TriggerExecution.objects.get()
    assert (state.last_run, state.lateness_seconds) == (execution.executed_at, None)


@pytest.mark.parametrize("status", ["pending", "cancelled", "skipped"])
def test_a_waiting_or_skipped_execution_is_not_the_last_run(status: str) -> None:
    trigger = make_due()
    execution = run_once(trigger)
    TriggerExecution.objects.create(
        trigger=trigger,
        event_id=trigger.pk,
        status=status,
        executed_at=execution.executed_at + MINUTE,
        trigger_version=1,
    )

    assert read_status(trigger_id=trigger.pk).last_run == execution.executed_at


def test_the_newest_failure_is_that_of_an_execution_or_its_task() -> None:
    trigger = make_due()
    execution = run_once(trigger)
    AgentTask.objects.update(
        status=TaskStatus.FAILED, error="no paper", finished_at=timezone.now()
    )

    state = read_status(trigger_id=trigger.pk)
    assert state.last_error == "failed: no paper"
    assert state.last_failure is not None
    assert state.last_failure.task_id == execution.task_id

    TriggerExecution.objects.create(
        trigger=trigger,
        event_id=trigger.pk,
        status="failed",
        executed_at=datetime(2100, 1, 1, tzinfo=UTC),
        error_type="ConditionError",
        error_message="no such field",
        trigger_version=1,
    )
    assert read_status(trigger_id=trigger.pk).last_error == (
        "ConditionError: no such field"
    )


def test_a_skipped_execution_is_not_counted_as_a_run() -> None:
    trigger = make_due(
        conditions={
            "type": "rule",
            "rules": [{"field": "hour", "operator": "eq", "value": 3}],
        }
    )
    run_once(trigger)

    state = read_status(trigger_id=trigger.pk)

    assert (state.last_run, state.run_count) == (None, 0)


def test_next_runs_end_with_the_schedule() -> None:
    trigger = make_due(max_runs=3)
    run_once(trigger)

    state = read_status(trigger_id=trigger.pk)

    runs = [run.scheduled_for for run in state.next_runs]
    assert runs == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_a_disabled_trigger_has_no_next_run() -> None:
    trigger = make_due()
    disable_trigger(trigger_id=trigger.pk)

    state = read_status(trigger_id=trigger.pk)

    assert (state.status, state.next_runs) == ("disabled", [])
    assert state.clock == {"status": "not_running"}


def test_a_pause_is_shown_until_it_is_over() -> None:
    trigger = make_due()
    for hours, status in ((1, "paused"), (-1, "active")):
        until = timezone.now() + timedelta(hours=hours)
        Trigger.objects.update(paused_until=until)

        assert read_status(trigger_id=trigger.pk).status == status


def test_the_workflow_id_is_that_of_a_workflow_agent() -> None:
    agent = make_agent(kind=AgentKind.WORKFLOW)
    trigger = make_trigger(agent=agent)

    assert read_status(trigger_id=trigger.pk).workflow_id == agent.pk


def test_a_deleted_trigger_has_no_status() -> None:
    trigger = make_trigger()
    delete_trigger(trigger_id=trigger.pk)

    with pytest.raises(TriggerNotFound):
        read_status(trigger_id=trigger.pk)
