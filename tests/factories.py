from __future__ import annotations

from typing import Any

from factory.declarations import Sequence
from factory.django import DjangoModelFactory

from agents.models import Agent, AgentTask
from agents.services.submit import NewTask, create_tasks
from common.ids import uuid7
from events.models import Event, EventSource
from events.services.record import NewEvent, record_events
from triggers.models import Trigger
from triggers.services.lifecycle import SavedTrigger, create_trigger


class AgentFactory(DjangoModelFactory[Agent]):
    """An agent of the memory backend."""

    name = Sequence(lambda n: f"agent-{n}")  # type: ignore[no-untyped-call]  # no stubs
    backend = "memory"

    class Meta:
        model = Agent


def make_agent(**fields: Any) -> Agent:
    return AgentFactory.create(**fields)


_names = (f"trigger-{n}" for n in range(10**9))


def make_created(
    *, event_types: Any = (), webhook: Any = None, **fields: Any
) -> SavedTrigger:
    """Create a trigger by its service; fields that are not given are valid."""
    fields.setdefault("agent", None)
    columns = {
        "name": next(_names),
        "trigger_type": "manual",
        **fields,
        "agent": fields["agent"] or make_agent(),
    }
    return create_trigger(fields=columns, event_types=event_types, webhook=webhook)


def make_trigger(**fields: Any) -> Trigger:
    return make_created(**fields).trigger


def new_event(**fields: Any) -> NewEvent:
    """Return an internal event that is not recorded yet."""
    return NewEvent(
        **{"type": "invoice.paid", "source": EventSource.EMIT, "body": b"{}", **fields}
    )


def make_listener(**fields: Any) -> Trigger:
    """Create a trigger on `invoice.*` without an hourly limit."""
    return make_trigger(
        **{
            "trigger_type": "event",
            "event_types": ["invoice.*"],
            "max_executions_per_hour": None,
            **fields,
        }
    )


def record(**fields: Any) -> Event:
    """Record an internal event and return its row."""
    event = new_event(**fields)
    record_events([event])
    return Event.objects.get(pk=event.id)


def new_task(agent: Agent, **fields: Any) -> NewTask:
    """Return a task for an agent that is not stored yet."""
    return NewTask(
        **{
            "agent_id": agent.id,
            "idempotency_key": uuid7(),
            "task_type": "",
            "title": "",
            "parameters": '{"a":1}',
            "metadata": "{}",
            **fields,
        }
    )


def make_task(*, agent: Agent | None = None, **fields: Any) -> AgentTask:
    """Store a task that is not submitted yet."""
    task = new_task(agent or make_agent(), **fields)
    create_tasks([task])
    return AgentTask.objects.select_related("agent").get(pk=task.id)
