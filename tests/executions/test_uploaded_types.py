"""An uploaded webhook type, from the request to the parameters of the task."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from agents.models import AgentTask
from events.models import Event
from executions.pipeline.drain import drain
from tests.factories import AgentFactory
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from webhooks.models import WebhookEndpoint

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("_ample_time_for_code"),
]

SECRET = "abcDEF_123"  # noqa: S105 - made up for the tests
CODE = {
    "custom_parser_code": """
def parse_update(body, headers, webhook_config):
    message = body.get('message', {})
    return {
        'chat_id': message.get('chat', {}).get('id'),
        'user_id': message.get('from', {}).get('id'),
        'text': message.get('text'),
        'has_document': 'document' in message,
    }
""",
    "validation_code": """
def validate_update(headers, body, webhook_config):
    if body.get('update_id') == 13:
        raise ValueError('unlucky')
    return webhook_config.get('bot_token') is not None
""",
}
TELEGRAM: dict[str, Any] = {  # R194
    "parser": "DynamicWebhookParser",
    "required_config_fields": ["bot_token"],
    "validation_required": True,
    "json_schema": {
        "type": "object",
        "properties": {"update_id": {"type": "integer"}},
        "required": ["update_id"],
    },
    **CODE,
}


@pytest.fixture
def bot(api: APIClient) -> WebhookEndpoint:
    """The endpoint of a bot whose uploaded type replaces the shipped one."""
    uploaded = api.put("/api/v1/webhook-types/telegram", TELEGRAM)
    assert uploaded.status_code == 201, uploaded.content
    trigger = {
        "name": "bot",
        "agent_id": str(AgentFactory.create().pk),
        "trigger_type": "webhook",
        "webhook_type": "telegram",
        "webhook_config": {"bot_token": "no-real-one", "secret": SECRET},
        "parameter_mapping": {"chat": "parsed.chat_id", "all": "parsed"},
    }
    made = api.post("/api/v1/triggers", trigger)
    assert made.status_code == 201, made.content
    return WebhookEndpoint.objects.get(pk=made.json()["endpoint_id"])


def send(bot: WebhookEndpoint, update: dict[str, Any], secret: str = SECRET) -> Any:
    body = json.dumps(update).encode()
    return deliver(bot, body, X_Telegram_Bot_Api_Secret_Token=secret)


def test_an_update_is_validated_parsed_and_passed_to_the_agent(
    bot: WebhookEndpoint,
) -> None:
    message = {"chat": {"id": 5}, "from": {"id": 6}, "text": "hello"}

    answer = send(bot, {"update_id": 7, "message": message})
    drain()

    given = AgentTask.objects.get().parameters
    parsed = given["all"]
    assert answer.status_code == 200
    assert given["chat"] == 5
    assert (parsed["user_id"], parsed["text"]) == (6, "hello")
    assert (parsed["has_document"], parsed["schema_valid"]) == (False, True)
    assert (parsed["service"], parsed["is_valid"]) == ("telegram", True)
    assert Event.objects.get().type == "telegram.message"
    assert Event.objects.get().request["validated"] is True


@pytest.mark.parametrize(
    ("update", "code"),
    [({"update_id": 13}, "validation_refused"), ({}, "validation_failed")],
)
def test_an_invalid_delivery_is_rejected_by_the_receiver(
    bot: WebhookEndpoint, update: dict[str, Any], code: str
) -> None:
    answer = send(bot, update)

    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
    assert_nothing_happened()


def test_an_upload_does_not_weaken_the_signature_check(bot: WebhookEndpoint) -> None:
    answer = send(bot, {"update_id": 7}, SECRET + "4")

    assert answer.status_code == 401
    assert_nothing_happened()
