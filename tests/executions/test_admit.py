from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import AgentTask, TaskStatus
from agents.services.run import claim_task, finish_task
from agents.services.submit import submit_due_tasks
from common.fields import dump_json
from events.services.record import record_events
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.executions.flow import deliver_event, finish, history, under_way
from tests.factories import make_listener, new_event, record
from tests.races import ROUNDS, race
from triggers.models import TriggerStats
from triggers.services.stats import fold_stats

pytestmark = pytest.mark.django_db(transaction=True)


def test_with_overlap_allow_a_run_starts_although_others_run() -> None:
    trigger = make_listener()

    deliver_event(trigger), deliver_event(trigger)

    assert history(trigger) == ["success", "success"]
    assert len(under_way(trigger)) == 2


def test_with_overlap_skip_a_busy_trigger_skips() -> None:
    trigger = make_listener(overlap="skip")
    deliver_event(trigger)

    deliver_event(trigger)

    assert history(trigger) == ["success", "skipped: overlap"]
    assert AgentTask.objects.count() == 1


@pytest.mark.parametrize("status", ["succeeded", "failed", "timeout", "cancelled"])
def test_a_run_that_ended_does_not_block_the_next(status: str) -> None:
    trigger = make_listener(overlap="skip")
    deliver_event(trigger)
    finish(AgentTask.objects.get(), TaskStatus(status))

    deliver_event(trigger)

    assert history(trigger) == ["success", "success"]


def test_a_buffered_run_has_a_task_that_is_not_submitted() -> None:
    trigger = make_listener(overlap="buffer_one")
    deliver_event(trigger)
    waits = deliver_event(trigger)

    deliver_event(trigger)

    assert history(trigger) == ["success", "pending: overlap", "skipped: overlap"]
    execution = TriggerExecution.objects.get(event=waits)
    assert execution.execution_time_ms is None
    held = AgentTask.objects.get(execution=execution)
    assert (held.status, held.next_attempt_at) == (TaskStatus.PENDING, None)
    assert submit_due_tasks() == 0


def test_with_cancel_previous_the_next_run_cancels_the_one_under_way() -> None:
    trigger = make_listener(overlap="cancel_previous")
    deliver_event(trigger)
    first = claim_task(task_id=AgentTask.objects.get().id)
    assert first is not None

    deliver_event(trigger)

    assert history(trigger) == ["success", "success"]
    assert first.is_cancelled()
    assert not finish_task(task=first, status=TaskStatus.SUCCEEDED)
    first.refresh_from_db()
    assert first.error == (
        "Cancelled: the trigger's next run replaced it (overlap: cancel_previous)"
    )
    assert first.finished_at is not None
    assert [task.attempt for task in under_way(trigger)] == [1]
    assert TriggerStats.objects.get(pk=trigger.pk).consecutive_failures == 0


def test_a_run_that_waited_under_another_policy_is_cancelled_too() -> None:
    trigger = make_listener(overlap="buffer_all")
    deliver_event(trigger), deliver_event(trigger), deliver_event(trigger)
    type(trigger).objects.update(overlap="cancel_previous")

    deliver_event(trigger)

    waited = "cancelled: overlap"
    assert history(trigger) == ["success", waited, waited, "success"]
    assert AgentTask.objects.filter(status=TaskStatus.CANCELLED).count() == 3
    assert len(under_way(trigger)) == 1
    fold_stats()
    stats = TriggerStats.objects.get(pk=trigger.pk)
    assert (stats.total_executions, stats.successful_executions) == (4, 2)
    assert (stats.failed_executions, stats.skipped_executions) == (0, 0)


def test_the_overlap_of_a_backfill_overrides_the_triggers() -> None:
    trigger = make_listener(overlap="skip")
    deliver_event(trigger)

    record(trigger_id=trigger.id, options=dump_json({"overlap": "buffer_all"}))
    drain()

    assert history(trigger) == ["success", "pending: overlap"]


def test_triggers_do_not_block_each_other() -> None:
    triggers = [make_listener(overlap="skip") for _ in range(3)]

    for trigger in triggers:
        deliver_event(trigger)

    assert [history(trigger) for trigger in triggers] == [["success"]] * 3


def test_a_waiting_run_counts_towards_the_hourly_limit() -> None:
    trigger = make_listener(overlap="buffer_all", max_executions_per_hour=2)
    deliver_event(trigger), deliver_event(trigger)

    deliver_event(trigger)

    assert history(trigger) == ["success", "pending: overlap", "skipped: rate_limited"]


def queries_of_a_batch(policy: str, *, triggers: int, events: int) -> int:
    made = [make_listener(overlap=policy) for _ in range(triggers)]
    record_events([new_event(trigger_id=t.id) for t in made for _ in range(events)])
    with CaptureQueriesContext(connection) as captured:
        drain()
    return len(captured)


@pytest.mark.parametrize(
    "policy", ["skip", "buffer_one", "buffer_all", "cancel_previous"]
)
def test_a_batch_takes_as_many_queries_for_one_run_as_for_many(policy: str) -> None:
    queries_of_a_batch(policy, triggers=1, events=2)
    few = queries_of_a_batch(policy, triggers=1, events=2)

    assert queries_of_a_batch(policy, triggers=20, events=5) == few


@pytest.mark.parametrize("policy", ["skip", "buffer_one", "cancel_previous"])
def test_at_most_one_run_is_under_way_with_many_workers(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executions.pipeline.leases.MAX_EVENTS", 1)
    for _ in range(ROUNDS):
        trigger = make_listener(overlap=policy)
        record_events([new_event(trigger_id=trigger.id) for _ in range(8)])

        race(drain)

        assert len(under_way(trigger)) == 1
        assert history(trigger).count("pending: overlap") == (policy == "buffer_one")
        if policy == "cancel_previous":
            assert history(trigger)[-1] == "success"
