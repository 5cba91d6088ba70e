"""Deliveries of a sender whose type has code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from agents.models import AgentTask
from common.fields import dump_json
from events.models import Event, EventSource
from executions.pipeline import parse
from senders.definitions import WebhookTypeDefinition, resolve
from tests.factories import make_trigger, new_event, record
from triggers.models import Trigger

REQUEST = {
    "method": "POST",
    "headers": {"content-type": "application/json", "x-level": "7"},
    "query": {"page": "2"},
}

Define = Callable[..., None]


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Define:
    """Return a function that defines the webhook type `shop`."""

    def define(**fields: Any) -> None:
        shop = replace(resolve("generic"), slug="shop", **fields)

        def find(slugs: Iterable[str]) -> dict[str, WebhookTypeDefinition]:
            return {slug: shop if slug == "shop" else resolve(slug) for slug in slugs}

        monkeypatch.setattr(parse, "definitions_of", find)

    return define


def make_receiver(**fields: Any) -> Trigger:
    """A trigger that passes `parsed` to its agent and has no hourly limit."""
    return make_trigger(
        **{
            "trigger_type": "webhook",
            "parameter_mapping": {"parsed": "parsed"},
            "max_executions_per_hour": None,
            **fields,
        }
    )


def delivery(trigger: Trigger, **fields: Any) -> dict[str, Any]:
    """The fields of an event that arrived at a trigger's endpoint."""
    return {
        "type": "shop.order",
        "source": EventSource.WEBHOOK,
        "endpoint_id": trigger.endpoint_id,
        "content_type": "application/json",
        "body": b'{"id": 5}',
        **fields,
        "request": dump_json({**REQUEST, **fields.get("request", {})}),
    }


def deliver(trigger: Trigger, **fields: Any) -> Event:
    return record(**delivery(trigger, **fields))


def new_delivery(trigger: Trigger, **fields: Any) -> Any:
    return new_event(**delivery(trigger, **fields))


def parsed_parameters() -> list[Any]:
    """Return what the agents got as `parsed`, in the order of the events."""
    tasks = AgentTask.objects.order_by("id")
    return [task.parameters["parsed"] for task in tasks]
