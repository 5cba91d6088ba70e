from __future__ import annotations

import pytest

from agents import agent_task as module
from agents.models import AgentTask
from agents.services.run import claim_task
from agents.services.submit import submit_tasks
from events.models import Event, EventType
from events.services.emit import emit
from executions.pipeline.drain import drain
from tests.factories import make_listener, record

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_an_agent_emits_names_the_event_that_led_to_it() -> None:
    EventType.objects.get_or_create(name="ticket.created")
    make_listener()
    first = record()
    drain()
    task = AgentTask.objects.get()
    submit_tasks([task.id])
    claimed = claim_task(task_id=task.id)
    assert claimed is not None

    module._run(lambda _: str(emit("ticket.created", {}).event_id), claimed)

    task.refresh_from_db()
    emitted = Event.objects.get(pk=task.result)
    assert (emitted.cause_id, emitted.depth) == (first.id, 1)
    assert emitted.correlation_id == first.correlation_id
