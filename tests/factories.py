from __future__ import annotations

from typing import Any

import factory
from factory.django import DjangoModelFactory

from agents.models import Agent
from events.models import EventSource
from events.services.record import NewEvent
from triggers.models import Trigger
from triggers.services.lifecycle import Created, create_trigger


class AgentFactory(DjangoModelFactory[Agent]):
    """An agent that keeps what it is given."""

    name = factory.Sequence(lambda n: f"agent-{n}")
    backend = "memory"

    class Meta:
        model = Agent


_names = (f"trigger-{n}" for n in range(10**9))


def make_created(
    *, event_types: Any = (), webhook: Any = None, **fields: Any
) -> Created:
    """Create a trigger by its service; what is not given is valid."""
    fields.setdefault("agent", None)
    columns = {
        "name": next(_names),
        "trigger_type": "manual",
        **fields,
        "agent": fields["agent"] or AgentFactory(),
    }
    return create_trigger(fields=columns, event_types=event_types, webhook=webhook)


def make_trigger(**fields: Any) -> Trigger:
    return make_created(**fields).trigger


def new_event(**fields: Any) -> NewEvent:
    """An event of the house, not yet recorded."""
    return NewEvent(
        **{"type": "invoice.paid", "source": EventSource.EMIT, "body": b"{}", **fields}
    )
