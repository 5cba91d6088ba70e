from __future__ import annotations

import pytest

from agents.models import AgentTask
from events.models import Event, Inbox
from events.services.record import record_events
from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_trigger, new_event

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_event_becomes_an_execution_and_a_task() -> None:
    trigger = make_trigger(trigger_type="event", event_types=["invoice.*"])
    event = new_event(body=b'{"amount": 12345678901234567890}')
    record_events([event])

    assert drain() == 1

    execution = TriggerExecution.objects.get()
    assert execution.trigger == trigger
    assert execution.event_id == event.id
    assert execution.status == ExecutionStatus.SUCCESS
    task = AgentTask.objects.get()
    assert execution.task == task
    assert task.idempotency_key == execution.id
    assert task.status == "submitted"
    assert task.parameters["trigger_data"]["body"] == {"amount": 12345678901234567890}
    assert not Inbox.objects.exists()
    assert Event.objects.count() == 1
