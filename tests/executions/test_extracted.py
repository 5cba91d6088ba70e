"""Extracted fields in conditions and in the agent's task (R31)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from agents.models import AgentTask
from events.models import EventSource
from executions.pipeline.drain import drain
from senders.definitions.extraction import load_extraction
from senders.definitions.shipped import sample_of
from tests.executions.flow import history
from tests.executions.senders import Define, deliver, make_receiver, parsed_parameters
from tests.executions.senders import define as define  # is a fixture
from tests.factories import make_listener, record
from tests.webhooks.deliveries import deliver as send
from triggers.models import Trigger
from webhooks.endpoints.lifecycle import update_endpoint
from webhooks.endpoints.secrets import live_secrets

pytestmark = pytest.mark.django_db

EXTRACT = load_extraction({"id": ["/id"], "level": [{"header": "X-Level"}]})


def data_of_task() -> dict[str, Any]:
    data: dict[str, Any] = AgentTask.objects.get().parameters["trigger_data"]
    return data


def make_telegram(**fields: Any) -> Trigger:
    return make_receiver(webhook={"type_slug": "telegram"}, **fields)


def send_sample(trigger: Trigger, event: str) -> None:
    """Send a sample of Telegram as Telegram does."""
    sample, endpoint = sample_of("telegram", event), trigger.endpoint
    assert sample is not None
    assert endpoint is not None
    (secret,) = live_secrets(endpoint)
    headers = {"X_Telegram_Bot_Api_Secret_Token": secret}
    assert send(endpoint, sample.body, **headers).status_code == 200
    drain()


def test_an_agent_gets_the_fields_without_any_mapping() -> None:
    send_sample(make_telegram(parameter_mapping={}), "message")

    assert data_of_task()["parsed"] == {
        "update_id": 700100200,
        "chat_id": 100200,
        "chat_type": "private",
        "user_id": 100200,
        "username": "ana_example",
        "first_name": "Ana",
        "message_id": 17,
        "text": "/forecast Porto",
        "has_document": False,
    }


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_attributes_of_a_cloudevent_are_decoded_in_both_modes(mode: str) -> None:
    webhook = {"type_slug": "cloudevents", "config": {"secret": False}}
    trigger = make_receiver(webhook=webhook, parameter_mapping={})
    endpoint = trigger.endpoint
    assert endpoint is not None
    attributes = {"id": "ü 1", "source": "/s x", "type": "t", "specversion": "1.0"}
    if mode == "binary":
        headers = {f"CE_{name}": quote(text) for name, text in attributes.items()}
        answer = send(endpoint, b"{}", **headers)
    else:
        body = json.dumps({**attributes, "data": {}}).encode()
        answer = send(endpoint, body, content_type="application/cloudevents+json")
    drain()

    assert answer.status_code == 202
    assert data_of_task()["parsed"] == {"id": "ü 1", "source": "/s x"}


def test_conditions_and_mappings_read_them() -> None:
    trigger = make_telegram(
        parameter_mapping={"chat": "parsed.chat_id"},
        conditions={
            "type": "rule",
            "rules": [
                {"field": "parsed.text", "operator": "starts_with", "value": "/forec"},
                {"field": "parsed.has_document", "operator": "equals", "value": False},
                {"field": "parsed.document", "operator": "not_exists"},
            ],
        },
    )

    send_sample(trigger, "message")
    send_sample(trigger, "callback_query")

    assert history(trigger) == ["success", "skipped: conditions_not_met"]
    assert AgentTask.objects.get().parameters["chat"] == 100200


def test_an_event_trigger_on_the_sender_gets_them_too() -> None:
    make_listener(event_types=["github.*"])
    body = {"repository": {"full_name": "ana/w"}, "ref": "refs/heads/main"}
    record(
        type="github.push", source=EventSource.WEBHOOK, body=json.dumps(body).encode(),
        content_type="application/json",
    )  # fmt: skip

    drain()

    assert data_of_task()["parsed"] == {
        "repository": "ana/w", "ref": "refs/heads/main", "branch": "main",
    }  # fmt: skip


def test_a_sender_without_a_map_adds_nothing() -> None:
    trigger = make_receiver()
    deliver(trigger, type="generic.received")

    drain()

    assert "parsed" not in data_of_task()


def test_fields_stand_next_to_the_parts_of_the_request(define: Define) -> None:
    define(extract=EXTRACT)
    deliver(make_receiver())

    drain()

    (parsed,) = parsed_parameters()
    assert (parsed["id"], parsed["level"]) == (5, "7")
    assert parsed["body"] == parsed["raw_payload"]["body"] == {"id": 5}
    assert "id" not in parsed["raw_payload"]


def test_code_may_replace_a_field_and_its_values_are_passed(define: Define) -> None:
    code = "def parse(body):\n    return {'id': body['id'] + 1, 'body': 1, 'x': None}"
    define(extract=EXTRACT, custom_parser_code=code)
    deliver(make_receiver())

    drain()

    assert data_of_task()["parsed"] == {"id": 6, "level": "7", "x": None}


def test_a_number_in_a_header_is_compared_as_a_number(define: Define) -> None:
    define(extract=EXTRACT)
    rule = {"field": "parsed.level", "operator": "greater_than", "value": 6}
    trigger = make_receiver(conditions={"type": "rule", "rules": [rule]})
    deliver(trigger)

    drain()

    assert history(trigger) == ["success"]


def test_long_text_is_whole_in_conditions_and_cut_in_the_task(define: Define) -> None:
    define(extract=EXTRACT)
    rule = {"field": "parsed.id", "operator": "ends_with", "value": "end"}
    trigger = make_receiver(conditions={"type": "rule", "rules": [rule]})
    deliver(trigger, body=json.dumps({"id": "x" * 20_000 + "end"}).encode())

    drain()

    data = data_of_task()
    assert data["parsed"]["id"] == "x" * 10_000
    assert data["parsed"]["shortened"] == ["id"]
    assert data["body"]["id"].endswith("end")


def test_odd_values_are_passed(define: Define) -> None:
    define(extract=EXTRACT)
    deliver(
        make_receiver(), body=b'{"id": ["\\ud800", 123456789012345678901234567890]}'
    )

    drain()

    found = data_of_task()["parsed"]["id"]
    assert found == ["\ud800", 123456789012345678901234567890]


def test_an_uploaded_type_extracts_fields(api: APIClient) -> None:
    document = {
        "parser": "p", "json_schema": True,
        "extract": {"order": ["/order/id", {"query": "order"}]},
    }  # fmt: skip
    assert api.put("/api/v1/webhook-types/paperboat", document).status_code == 201
    trigger = make_receiver(webhook={"type_slug": "paperboat"})
    assert trigger.endpoint is not None
    send(trigger.endpoint, b'{"order": {"id": "o-1"}}')

    drain()

    assert data_of_task()["parsed"] == {"order": "o-1"}


def test_an_upload_under_a_shipped_slug_keeps_or_replaces_the_map(
    api: APIClient,
) -> None:
    url = "/api/v1/webhook-types/telegram"
    kept = {"parser": "p", "json_schema": True}

    first = api.put(url, kept).json()["definition"]
    second = api.put(url, {**kept, "extract": {"a": ["/a"]}}).json()["definition"]
    third = api.patch(url, {"extract": None}).json()["definition"]

    assert first["extract"]["chat_id"][0] == "/message/chat/id"
    assert second["extract"] == {"a": ["/a"]}
    assert "extract" not in third


def test_a_field_with_a_reserved_name_is_refused(api: APIClient) -> None:
    document = {"parser": "p", "json_schema": True, "extract": {"body": ["/a"]}}

    response = api.put("/api/v1/webhook-types/paperboat", document)

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/extract/body"


def test_trying_a_type_shows_the_fields(api: APIClient) -> None:
    body = {"message": {"chat": {"id": 7}, "text": "hi"}}

    answer = api.post("/api/v1/webhook-types/telegram/try", {"body": body}).json()

    fields = {"chat_id": 7, "text": "hi", "has_document": False}
    assert fields.items() <= answer["parsed_data"].items()
    assert answer["parsed_data"]["body"] == body


def test_a_redelivery_has_the_fields_of_its_body(api: APIClient) -> None:
    trigger = make_telegram()
    send_sample(trigger, "message")
    first = AgentTask.objects.get().parameters["trigger_data"]["event_id"]
    assert trigger.endpoint is not None
    update_endpoint(endpoint_id=trigger.endpoint.pk, config={})

    api.post(f"/api/v1/deliveries/{first}/redeliver", {})
    drain()

    fields = [t.parameters["trigger_data"]["parsed"] for t in AgentTask.objects.all()]
    assert len(fields) == 2
    assert fields[0] == fields[1]
