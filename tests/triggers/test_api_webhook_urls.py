"""The URL of a trigger's endpoint: showing, regenerating and choosing it."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from agents.models import Agent
from tests.factories import AgentFactory, make_trigger, record
from tests.triggers.test_api_permissions import client_of, group, restricted
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from triggers.models import Trigger
from webhooks.access import FOREIGN_ENDPOINT
from webhooks.models import WebhookEndpoint

__all__ = ["group", "restricted"]

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"
TAKEN = "This webhook URL is already in use; choose another path"


def make(**webhook: Any) -> Trigger:
    return make_trigger(trigger_type="webhook", webhook=webhook)


def body(**fields: Any) -> dict[str, Any]:
    agent_id = str(AgentFactory.create().pk)
    return {
        "name": "shop",
        "agent_id": agent_id,
        "trigger_type": "webhook",
        **fields,
    }


def endpoint_of(trigger: Trigger) -> WebhookEndpoint:
    assert trigger.endpoint_id is not None
    return WebhookEndpoint.objects.get(pk=trigger.endpoint_id)


def test_the_url_of_a_trigger_is_shown(api: APIClient) -> None:  # R220
    trigger = make(allowed_methods=["POST", "PUT"], path="orders/eu")
    other = make_trigger(trigger_type="webhook", endpoint=trigger.endpoint)

    response = api.get(f"{URL}/{trigger.pk}/webhook-url")

    assert response.status_code == 200
    assert response.json() == {
        "webhook_url": "http://testserver/webhooks/orders/eu",
        "webhook_id": "orders/eu",
        "webhook_path": "orders/eu",
        "webhook_type": "generic",
        "allowed_methods": ["POST", "PUT"],
        "has_secret": False,
        "webhook_secrets": [],
        "shared_with": [str(other.pk)],
        "last_received_at": None,
    }


def test_the_last_delivery_is_shown_without_replays(
    api: APIClient,
) -> None:  # R418, R425
    trigger = make()
    deliver(endpoint_of(trigger))
    second = record(
        endpoint_id=trigger.endpoint_id, source="webhook", type="generic.received"
    )
    record(endpoint_id=trigger.endpoint_id, replay_of=second.pk)

    shown = api.get(f"{URL}/{trigger.pk}/webhook-url").json()

    expected = second.received_at.isoformat().replace("+00:00", "Z")
    assert shown["last_received_at"] == expected


def test_the_url_is_visible_to_users_who_may_view_the_trigger() -> None:
    trigger = make()

    allowed = client_of("view_trigger").get(f"{URL}/{trigger.pk}/webhook-url")

    assert allowed.status_code == 200


@pytest.mark.parametrize(
    ("method", "act"), [("get", "webhook-url"), ("post", "regenerate-webhook")]
)
def test_only_a_webhook_trigger_has_a_url(
    api: APIClient, method: str, act: str
) -> None:
    response = getattr(api, method)(f"{URL}/{make_trigger().pk}/{act}")

    assert response.status_code == 404
    assert response.json()["error_code"] == "no_webhook"


def test_a_deleted_trigger_has_no_url(api: APIClient) -> None:
    trigger = make()
    api.delete(f"{URL}/{trigger.pk}")

    response = api.post(f"{URL}/{trigger.pk}/regenerate-webhook")

    assert response.status_code == 404
    assert response.json()["error_code"] == "trigger_not_found"


def test_a_regenerated_url_replaces_the_old_one_at_once(
    api: APIClient,
) -> None:  # R221
    trigger = make(config={"secret": "stays-as-it-is"})
    old = endpoint_of(trigger)
    other = make_trigger(trigger_type="webhook", endpoint=trigger.endpoint)

    response = api.post(f"{URL}/{trigger.pk}/regenerate-webhook")

    answer, new = response.json(), endpoint_of(trigger)
    assert response.status_code == 200
    assert deliver(old).status_code == 404
    assert_nothing_happened()
    assert answer["webhook_id"] == new.webhook_id != old.webhook_id
    assert answer["webhook_url"] == f"http://testserver/webhooks/{new.webhook_id}"
    assert answer["webhook_secret"] is None
    assert answer["shared_with"] == [str(other.pk)]
    assert new.secrets == old.secrets


def test_a_url_can_be_regenerated_together_with_the_secret(api: APIClient) -> None:
    trigger = make(config={"secret": "known-to-too-many"})

    answer = api.post(
        f"{URL}/{trigger.pk}/regenerate-webhook", {"rotate_secret": True}
    ).json()

    secrets = [entry["secret"] for entry in endpoint_of(trigger).secrets]
    assert secrets == [answer["webhook_secret"]]
    assert [state["which"] for state in answer["ended_secrets"]] == ["current"]


def test_a_path_can_be_set_with_the_trigger(api: APIClient) -> None:  # R416
    response = api.post(URL, body(webhook_path="orders/eu"))

    shown = response.json()
    assert response.status_code == 201
    assert shown["webhook_path"] == "orders/eu"
    assert shown["webhook_url"] == "http://testserver/webhooks/orders/eu"
    assert deliver(WebhookEndpoint.objects.get()).status_code == 200


def test_a_path_can_be_changed_and_removed(api: APIClient) -> None:
    trigger = make()
    path = f"{URL}/{trigger.pk}"

    chosen = api.patch(path, {"webhook_path": "orders"}).json()
    other = api.patch(path, {"description": "new"}).json()
    given_up = api.patch(path, {"webhook_path": None}).json()
    again = api.patch(path, {"webhook_path": None}).json()

    assert chosen["webhook_path"] == other["webhook_path"] == "orders"
    assert given_up["webhook_path"] is None
    assert given_up["webhook_url"].startswith("http://testserver/webhooks/wht_")
    assert again["webhook_url"] == given_up["webhook_url"]


def test_put_does_not_change_the_url(api: APIClient) -> None:
    trigger = make(path="orders")
    shown = api.get(f"{URL}/{trigger.pk}").json()
    full = {name: shown[name] for name in ("name", "agent_id", "trigger_type")}

    changed = api.put(f"{URL}/{trigger.pk}", full).json()

    assert changed["webhook_path"] == "orders"


def test_a_retrieved_path_can_be_put_unchanged(api: APIClient) -> None:
    for trigger in (make(path="orders"), make(), make_trigger()):
        shown = api.get(f"{URL}/{trigger.pk}").json()

        response = api.put(f"{URL}/{trigger.pk}", shown)

        assert response.status_code == 200, response.json()
        assert response.json()["webhook_url"] == shown["webhook_url"]


@pytest.mark.parametrize("is_active", [True, False])
def test_a_path_in_use_is_a_conflict(api: APIClient, is_active: bool) -> None:
    taken, trigger = endpoint_of(make(path="orders")), make()
    WebhookEndpoint.objects.filter(pk=taken.pk).update(is_active=is_active)

    responses = [
        api.post(URL, body(webhook_path="orders")),
        api.patch(f"{URL}/{trigger.pk}", {"webhook_path": "orders", "name": "new"}),
    ]

    for response in responses:
        assert response.status_code == 409
        assert response.json()["error_code"] == "webhook_url_in_use"
        assert response.json()["errors"] == [
            {"pointer": "/webhook_path", "detail": TAKEN}
        ]
    trigger.refresh_from_db()
    assert trigger.name != "new"
    assert (Trigger.objects.count(), WebhookEndpoint.objects.count()) == (2, 2)


def test_the_path_of_a_deleted_trigger_is_free(api: APIClient) -> None:
    api.delete(f"{URL}/{make(path='orders').pk}")

    response = api.post(URL, body(webhook_path="orders"))

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/orders", "Must not be empty, begin or end with '/', or contain '//'"),
        ("wht_1", "Must not begin with 'wht_', as generated ids do"),
        ("", "This field may not be blank."),
        ("a" * 201, "Ensure this field has no more than 200 characters."),
    ],
)
def test_an_invalid_path_is_rejected(api: APIClient, path: str, detail: str) -> None:
    response = api.post(URL, body(webhook_path=path))

    assert response.status_code == 400
    assert response.json()["errors"] == [{"pointer": "/webhook_path", "detail": detail}]
    assert not Trigger.objects.exists()


def test_only_a_webhook_trigger_accepts_a_path(api: APIClient) -> None:
    response = api.post(URL, body(trigger_type="manual", webhook_path="orders"))

    assert response.status_code == 400
    assert [e["pointer"] for e in response.json()["errors"]] == ["/webhook_path"]


@pytest.mark.parametrize("path", ["elsewhere", None])
def test_the_url_of_an_endpoint_of_agents_of_others_cannot_change(
    path: str | None, restricted: Agent
) -> None:
    trigger = make(path="orders")
    make_trigger(trigger_type="webhook", endpoint=trigger.endpoint, agent=restricted)

    response = client_of("change_trigger").patch(
        f"{URL}/{trigger.pk}", {"webhook_path": path}
    )

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"pointer": "/endpoint_id", "detail": FOREIGN_ENDPOINT}
    ]
    assert endpoint_of(trigger).webhook_id == "orders"
