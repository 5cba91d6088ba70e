"""`filter_events` and `allowed_updates`: `skipped: filtered` (D24, R194, R195)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from agents.models import AgentTask
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.executions.flow import history
from tests.factories import AgentFactory, make_listener, make_trigger
from tests.webhooks.deliveries import deliver
from triggers.models import Trigger
from webhooks.endpoints.lifecycle import update_endpoint
from webhooks.endpoints.secrets import live_secrets

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"
TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"  # noqa: S105 - of Telegram's pages


def make_telegram(**config: Any) -> Trigger:
    return make_trigger(
        trigger_type="webhook", webhook={"type_slug": "telegram", "config": config}
    )


def send(trigger: Trigger, *kinds: str) -> None:
    """Deliver an update of each kind to a trigger of Telegram, and process them."""
    endpoint = trigger.endpoint
    assert endpoint is not None
    endpoint.refresh_from_db()
    headers = {"X_Telegram_Bot_Api_Secret_Token": live_secrets(endpoint)[0]}
    for kind in kinds:
        body = json.dumps({"update_id": AgentFactory.create().pk.int, kind: {}})
        assert deliver(endpoint, body.encode(), **headers).status_code == 200
    drain()


def test_an_update_that_is_not_allowed_is_skipped() -> None:
    trigger = make_telegram(allowed_updates=["callback_query"])

    send(trigger, "message", "callback_query")

    assert history(trigger) == ["skipped: filtered", "success"]
    assert AgentTask.objects.count() == 1


@pytest.mark.parametrize(
    ("config", "passes"),
    [
        ({}, True),
        ({"allowed_updates": []}, True),
        ({"filter_events": ["message"]}, True),
        ({"filter_events": ["telegram.message"]}, True),
        ({"filter_events": ["poll"]}, False),
        ({"filter_events": ["message"], "allowed_updates": ["poll"]}, False),
        ({"filter_events": ["message"], "allowed_updates": ["message", "poll"]}, True),
    ],
)
def test_filters_are_combined(config: dict[str, Any], passes: bool) -> None:
    trigger = make_telegram(**config)

    send(trigger, "message")

    assert history(trigger) == ["success" if passes else "skipped: filtered"]


def test_each_trigger_of_the_endpoint_has_one_execution() -> None:
    first = make_telegram(allowed_updates=["poll"])
    second = make_trigger(trigger_type="webhook", endpoint=first.endpoint)
    listener = make_listener(event_types=["telegram.*"])

    send(first, "message")

    assert history(first) == history(second) == ["skipped: filtered"]
    assert history(listener) == ["success"]
    assert TriggerExecution.objects.count() == 3


def test_a_changed_filter_applies_to_the_next_event() -> None:
    trigger = make_telegram(allowed_updates=["poll"])
    assert trigger.endpoint is not None
    send(trigger, "message")

    update_endpoint(
        endpoint_id=trigger.endpoint.pk, config={"allowed_updates": ["message"]}
    )
    send(trigger, "message")

    assert history(trigger) == ["skipped: filtered", "success"]


def test_a_disabled_trigger_is_inactive_not_filtered() -> None:
    trigger = make_telegram(allowed_updates=["poll"])
    Trigger.objects.filter(pk=trigger.pk).update(is_active=False)

    send(trigger, "message")

    assert history(trigger) == ["skipped: inactive"]


def test_a_name_with_a_star_matches_what_begins_so() -> None:
    trigger = make_trigger(
        trigger_type="webhook",
        webhook={"type_slug": "cloudevents", "config": {
            "secret": False, "filter_events": ["shop.order.*"],
        }},
    )  # fmt: skip
    assert trigger.endpoint is not None
    for number, name in enumerate(("shop.order.paid", "shop.orders", "shop.order")):
        body = {"specversion": "1.0", "type": name, "source": "/s", "id": str(number)}
        deliver(
            trigger.endpoint, json.dumps(body).encode(),
            content_type="application/cloudevents+json",
        )  # fmt: skip
    drain()

    assert history(trigger) == ["success", "skipped: filtered", "skipped: filtered"]


def test_an_uploaded_type_is_filtered(api: APIClient) -> None:  # R195
    document = {
        "parser": "p",
        "json_schema": {"type": "object", "required": ["event_type", "data"]},
        "event_type": [{"body": "/event_type"}],
    }
    assert api.put("/api/v1/webhook-types/custom", document).status_code == 201
    config = {"api_key": "k", "filter_events": ["order.created"]}
    trigger = make_trigger(
        trigger_type="webhook", webhook={"type_slug": "custom", "config": config}
    )
    assert trigger.endpoint is not None
    for name in ("order.created", "order.deleted"):
        body = json.dumps({"event_type": name, "data": 1}).encode()
        assert deliver(trigger.endpoint, body).status_code == 200

    drain()

    assert history(trigger) == ["success", "skipped: filtered"]


@pytest.mark.parametrize("names", [["order"], "order", [1], []])
def test_generic_has_one_event_type_so_its_config_stays_free(names: object) -> None:
    trigger = make_trigger(
        trigger_type="webhook", webhook={"config": {"filter_events": names}}
    )
    assert trigger.endpoint is not None

    deliver(trigger.endpoint)
    drain()

    assert history(trigger) == ["success"]


@pytest.mark.parametrize(
    ("webhook_type", "config", "pointer", "text"),
    [
        ("telegram", {"allowed_updates": ["mesage"]}, "/allowed_updates/0",
         "Telegram sends no event 'mesage'; did you mean 'message'?"),
        ("github", {"filter_events": ["push", "psuh"]}, "/filter_events/1",
         "GitHub sends no event 'psuh'; did you mean 'push'?"),
        ("github", {"filter_events": "push"}, "/filter_events", "Must be a list"),
        ("github", {"filter_events": [5]}, "/filter_events", "Must be a list"),
        ("github", {"filter_events": ["push"] * 101}, "/filter_events", "at most 100"),
        ("github", {"filter_events": []}, "/filter_events", "leave it out for all"),
        ("telegram", {"bot_token": "not a token"}, "/bot_token", "as BotFather"),
        ("telegram", {"bot_token": 5}, "/bot_token", "as BotFather"),
        ("telegram", {"bot_token": ""}, "/bot_token", "as BotFather"),
        ("telegram", {"bot_token": TOKEN + "\n"}, "/bot_token", "as BotFather"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_meant_is_refused(
    api: APIClient, webhook_type: str, config: dict[str, Any], pointer: str, text: str
) -> None:
    body = {
        "name": "updates", "agent_id": str(AgentFactory.create().pk),
        "trigger_type": "webhook", "webhook_type": webhook_type,
        "webhook_config": config,
    }  # fmt: skip

    response = api.post(URL, body)

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["pointer"] == f"/webhook_config{pointer}"
    assert text in error["detail"]
    assert not Trigger.objects.exists()


@pytest.mark.parametrize(
    ("webhook_type", "config"),
    [
        ("telegram", {"bot_token": TOKEN, "allowed_updates": ["message"]}),
        ("telegram", {"bot_token": None}),
        ("github", {"filter_events": ["push", "github.pull_request"]}),
        ("stripe", {"filter_events": ["invoice.*"]}),
        ("shopify", {"filter_events": ["orders_create"]}),
    ],
)
def test_a_setting_of_the_sender_is_accepted(
    api: APIClient, webhook_type: str, config: dict[str, Any]
) -> None:
    body = {
        "name": "updates", "agent_id": str(AgentFactory.create().pk),
        "trigger_type": "webhook", "webhook_type": webhook_type,
        "webhook_config": config,
    }  # fmt: skip

    response = api.post(URL, body)

    assert response.status_code == 201, response.json()
    assert TOKEN not in response.content.decode()
