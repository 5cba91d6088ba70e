"""Bodies that their content type does not describe, from the sender to the agent."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from agents.models import AgentTask
from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_trigger
from tests.webhooks.deliveries import assert_nothing_happened, deliver

pytestmark = pytest.mark.django_db

ABOVE_1000 = {"field": "body.amount", "operator": "greater_than", "value": 1000}


def send(body: bytes, content_type: str, **fields: Any) -> Any:
    trigger = make_trigger(
        trigger_type="webhook",
        webhook=fields.pop("webhook", {}),
        parameter_mapping={"body": "body"},
        **fields,
    )
    assert trigger.endpoint is not None
    return deliver(trigger.endpoint, body, content_type=content_type)


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "application/octet-stream"]
)
def test_a_condition_reads_json_that_is_not_declared(
    api: APIClient, content_type: str
) -> None:
    body = b' {"amount": 1250}'
    send(body, content_type, conditions={"type": "rule", "rules": [ABOVE_1000]})
    drain()

    assert TriggerExecution.objects.get().status == "success"
    assert AgentTask.objects.get().parameters["body"] == {"amount": 1250}
    event = Event.objects.get()
    assert (bytes(event.body), event.content_type) == (body, content_type)
    shown = api.get(f"/api/v1/events/{event.pk}").json()
    assert (shown["read_as"], shown["warnings"]) == ("json", [])
    delivered = api.get(f"/api/v1/deliveries/{event.pk}").json()
    assert delivered["request"]["read_as"] == "json"


def test_a_body_as_declared_is_not_said_to_be_read_as_something(api: APIClient) -> None:
    send(b"{}", "application/json")

    event = Event.objects.get()
    shown = api.get(f"/api/v1/events/{event.pk}").json()
    assert (shown["read_as"], shown["warnings"]) == (None, [])
    assert not {"read_as", "warnings"} & set(event.request)


def test_invalid_json_reaches_the_agent_as_text_with_a_warning(api: APIClient) -> None:
    assert send(b'{"a":1,}', "application/json").status_code == 200
    drain()

    assert AgentTask.objects.get().parameters["body"] == '{"a":1,}'
    event = Event.objects.get()
    (warning,) = api.get(f"/api/v1/events/{event.pk}").json()["warnings"]
    assert warning.startswith("The content type declares JSON, but the body is taken")


def test_an_endpoint_that_wants_json_refuses_invalid_json() -> None:
    rules = {"validation_rules": {"body_format": "json"}}

    answer = send(b'{"a":1,}', "application/json", webhook=rules)

    assert (answer.status_code, answer.json()["error_code"]) == (
        400, "validation_failed",
    )  # fmt: skip
    assert_nothing_happened()
