"""The two examples of uploads in the requirements, from upload to a received event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from events.models import Event
from tests.factories import AgentFactory
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.uploads import PARSER
from webhooks.models import WebhookEndpoint
from webhooks.types import definition_of, find_body_faults

pytestmark = pytest.mark.django_db

CHAT: dict[str, Any] = {  # R194
    "parser": "DynamicWebhookParser",
    "required_config_fields": ["bot_token"],
    "default_methods": ["POST"],
    "validation_required": True,
    "response_format": "json",
    "json_schema": {
        "type": "object",
        "properties": {
            "update_id": {"type": "integer"},
            "message": {"type": "object", "properties": {"text": {"type": "string"}}},
        },
        "required": ["update_id"],
    },
    "custom_parser_code": PARSER,
}
SERVICE: dict[str, Any] = {  # R195
    "parser": "DynamicWebhookParser",
    "required_config_fields": ["api_key"],
    "default_methods": ["POST"],
    "validation_required": True,
    "response_format": "json",
    "json_schema": {
        "type": "object",
        "properties": {"event_type": {"type": "string"}, "data": {"type": "object"}},
        "required": ["event_type", "data"],
    },
}


def make(api: APIClient, slug: str, document: Any, config: Any) -> WebhookEndpoint:
    assert api.put(f"/api/v1/webhook-types/{slug}", document).status_code == 201
    trigger = {
        "name": slug,
        "agent_id": str(AgentFactory.create().pk),
        "trigger_type": "webhook",
        "webhook_type": slug,
        "webhook_config": config,
    }
    made = api.post("/api/v1/triggers", trigger)
    assert made.status_code == 201, made.content
    return WebhookEndpoint.objects.get(pk=made.json()["endpoint_id"])


def test_the_updates_of_a_bot_are_accepted(api: APIClient) -> None:
    config = {"bot_token": "not-one", "allowed_updates": ["message"]}
    endpoint = make(api, "chatbot", CHAT, config)
    update = {"update_id": 7, "message": {"text": "hello"}}

    answer = deliver(endpoint, json.dumps(update).encode())

    definition = definition_of("chatbot")
    assert answer.status_code == 200
    assert Event.objects.get().type == "chatbot.unknown"
    assert endpoint.config == config
    assert definition.custom_parser_code == PARSER
    assert find_body_faults(definition.json_schema, update) == []
    assert find_body_faults(definition.json_schema, {}) != []


def test_a_custom_service_is_described(api: APIClient) -> None:
    config = {"api_key": "not-one", "filter_events": ["signed_up"]}
    endpoint = make(api, "my_service", SERVICE, config)

    refused = deliver(endpoint, b"{}", method="GET")

    assert refused.status_code == 405
    assert_nothing_happened()
    definition = definition_of("my_service")
    assert definition.validation_required is True
    faults = find_body_faults(definition.json_schema, {"event_type": "x"})
    assert [fault.detail for fault in faults] == ["'data' is a required property"]
