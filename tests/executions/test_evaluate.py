from __future__ import annotations

from typing import Any

import pytest

from agents.models import AgentTask
from events.models import EventSource, Inbox
from executions.models import ExecutionStatus, ExecutionTrace, TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.match import MAX_DEPTH
from executions.services.run import run_trigger
from tests.factories import make_agent, make_listener, make_trigger, record
from triggers.models import Trigger
from triggers.services.lifecycle import disable_trigger

pytestmark = pytest.mark.django_db

OVER_1000 = {
    "type": "rule",
    "rules": [{"field": "body.amount", "operator": "gt", "value": 1000}],
}
WITH_ERROR = {
    "type": "rule",
    "rules": [{"field": "body.amount", "operator": "gt", "value": 1000}],
}


def evaluated(**event: Any) -> TriggerExecution:
    """Return the execution of one event for the only trigger."""
    record(**event)
    drain()
    assert not Inbox.objects.exists()
    return TriggerExecution.objects.get()


def test_conditions_that_are_met_create_a_task() -> None:
    make_listener(conditions=OVER_1000)

    execution = evaluated(body=b'{"amount": 1001}')

    assert (execution.status, execution.reason) == (ExecutionStatus.SUCCESS, "")
    assert execution.task == AgentTask.objects.get()


def test_conditions_that_are_not_met_skip_and_trace_the_actual_value() -> None:
    make_listener(conditions=OVER_1000)

    execution = evaluated(body=b'{"amount": 940}')

    assert execution.status == ExecutionStatus.SKIPPED
    assert execution.reason == "conditions_not_met"
    assert not AgentTask.objects.exists()
    trace = ExecutionTrace.objects.get(pk=execution.id).trace
    assert trace["outcome"] == "not_met"
    assert "940" in str(trace)


@pytest.mark.parametrize(
    ("policy", "status", "reason", "tasks"),
    [
        ("fail", ExecutionStatus.FAILED, "condition_error", 0),
        ("skip", ExecutionStatus.SKIPPED, "condition_error", 0),
        ("match", ExecutionStatus.SUCCESS, "", 1),
    ],
)
def test_a_condition_error_follows_the_policy(
    policy: str, status: ExecutionStatus, reason: str, tasks: int
) -> None:
    make_listener(conditions=WITH_ERROR, on_condition_error=policy)

    execution = evaluated(body=b'{"amount": {"not": "a number"}}')

    assert (execution.status, execution.reason) == (status, reason)
    assert AgentTask.objects.count() == tasks
    assert ExecutionTrace.objects.get().trace["outcome"] == "error"


def test_an_inactive_agent_gets_no_task() -> None:
    agent = make_agent()
    make_listener(agent=agent)
    agent.is_active = False
    agent.save(update_fields=["is_active"])

    execution = evaluated()

    assert (execution.status, execution.reason) == ("skipped", "agent_inactive")


@pytest.mark.parametrize(
    ("depth", "status", "reason"),
    [(MAX_DEPTH, "success", ""), (MAX_DEPTH + 1, "skipped", "loop")],
)
def test_a_chain_of_events_ends_at_the_maximum_depth(
    depth: int, status: str, reason: str
) -> None:
    make_listener()

    execution = evaluated(depth=depth)

    assert (execution.status, execution.reason) == (status, reason)


def test_a_missed_range_is_one_skipped_execution() -> None:
    trigger = make_trigger()

    execution = evaluated(
        type="schedule.missed", source=EventSource.SCHEDULE, trigger_id=trigger.id
    )

    assert (execution.status, execution.reason) == ("skipped", "missed")


def make_disabled() -> Trigger:
    trigger = make_listener(conditions=OVER_1000)
    return disable_trigger(trigger_id=trigger.id)


def test_an_event_for_a_disabled_trigger_is_skipped_as_inactive() -> None:
    execution = evaluated(trigger_id=make_disabled().id)

    assert (execution.status, execution.reason) == ("skipped", "inactive")


def test_a_person_may_run_a_disabled_trigger() -> None:
    trigger = make_disabled()

    run_trigger(trigger_id=trigger.id, payload={"amount": 2000})
    drain()

    assert TriggerExecution.objects.get().status == ExecutionStatus.SUCCESS


def test_a_run_is_evaluated_unless_the_conditions_are_skipped() -> None:
    trigger = make_listener(conditions=OVER_1000)

    run_trigger(trigger_id=trigger.id, payload={"amount": 1})
    run_trigger(trigger_id=trigger.id, payload={"amount": 1}, skip_conditions=True)
    drain()

    in_order = TriggerExecution.objects.order_by("event_id")
    assert list(in_order.values_list("status", "reason")) == [
        ("skipped", "conditions_not_met"),
        ("success", ""),
    ]


def test_an_exception_in_our_code_is_a_failed_execution(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("".join(["what ", "Ana ", "wrote"]))

    monkeypatch.setattr("executions.pipeline.parameters.build_parameters", fail)
    make_listener()

    execution = evaluated()

    assert (execution.status, execution.reason) == ("failed", "error")
    assert execution.error_type == "RuntimeError"
    assert "in fail" in execution.error_message
    assert "what Ana wrote" not in execution.error_message + caplog.text


def test_a_changed_condition_is_compiled_again() -> None:
    trigger = make_listener(conditions=OVER_1000)
    record(body=b'{"amount": 5}')
    drain()
    Trigger.objects.filter(pk=trigger.pk).update(conditions={}, version=2)

    record(body=b'{"amount": 5}')
    drain()

    statuses = TriggerExecution.objects.order_by("event_id").values_list(
        "status", "trigger_version"
    )
    assert list(statuses) == [("skipped", 1), ("success", 2)]
