"""Secrets of a trigger's endpoint: rotation, revocation, and showing them once."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from agents.models import Agent
from tests.factories import make_created, make_trigger
from tests.senders.requests import PUSH, hex_hmac
from tests.triggers.test_api_permissions import client_of, group, restricted
from tests.webhooks.deliveries import deliver
from triggers.models import Trigger
from webhooks.access import FOREIGN_ENDPOINT
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint

__all__ = ["group", "restricted"]

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"
FIRST, SECOND = "the first secret, long enough", "the second secret, as long"
SPACED = " the third secret, with spaces "
NOW = "2026-03-01T12:00:00Z"


@pytest.fixture
def trigger() -> Trigger:
    with time_machine.travel("2026-02-01T00:00:00Z", tick=False):
        return make_github()


def make_github(**fields: Any) -> Trigger:
    webhook = {"type_slug": "github", "config": {"secret": FIRST}}
    return make_trigger(trigger_type="webhook", webhook=webhook, **fields)


def ask(api: APIClient, trigger: Trigger, act: str, **body: Any) -> Any:
    return api.post(f"{URL}/{trigger.pk}/{act}", body)


def knock(secret: str) -> int:
    endpoint = WebhookEndpoint.objects.get()
    signed = {"X-Hub-Signature-256": f"sha256={hex_hmac(PUSH, secret)}"}
    return deliver(endpoint, PUSH, **signed).status_code


@time_machine.travel(NOW, tick=False)
def test_a_rotation_returns_the_trigger_and_the_secret(
    api: APIClient, trigger: Trigger
) -> None:  # R417
    shown = api.get(f"{URL}/{trigger.pk}").json()

    response = ask(api, trigger, "rotate-secret")

    secret = response.json()["webhook_secret"]
    assert response.status_code == 200
    assert live_secrets(WebhookEndpoint.objects.get()) == [secret, FIRST]
    assert response.json() == {
        **shown,
        "webhook_secret": secret,
        "webhook_id": trigger.endpoint and trigger.endpoint.webhook_id,
        "webhook_secrets": [
            {"which": "current", "created_at": NOW, "valid_until": None},
            {
                "which": "previous",
                "created_at": "2026-02-01T00:00:00Z",
                "valid_until": "2026-03-02T12:00:00Z",
            },
        ],
        "ended_secrets": [],
    }


def test_a_given_secret_is_set_and_the_oldest_one_ends(
    api: APIClient, trigger: Trigger
) -> None:
    ask(api, trigger, "rotate-secret", secret=SECOND)

    answer = ask(api, trigger, "rotate-secret", secret=SPACED).json()

    assert answer["webhook_secret"] == SPACED
    [ended] = answer["ended_secrets"]
    assert (ended["which"], ended["created_at"]) == ("previous", "2026-02-01T00:00:00Z")
    assert live_secrets(WebhookEndpoint.objects.get()) == [SPACED, SECOND]


def test_an_old_secret_that_is_not_kept_is_rejected_at_once(
    api: APIClient, trigger: Trigger
) -> None:
    before = knock(FIRST)

    ask(api, trigger, "rotate-secret", secret=SECOND, keep_previous_seconds=0)

    assert (before, knock(FIRST), knock(SECOND)) == (200, 401, 200)


def test_a_previous_secret_is_revoked(api: APIClient, trigger: Trigger) -> None:
    ask(api, trigger, "rotate-secret", secret=SECOND)
    before = knock(FIRST)

    response = ask(api, trigger, "revoke-secret", which="Previous")

    answer = response.json()
    assert response.status_code == 200
    assert (before, knock(FIRST), knock(SECOND)) == (200, 401, 200)
    assert answer["webhook_secret"] is None
    assert [s["which"] for s in answer["webhook_secrets"]] == ["current"]
    assert [s["which"] for s in answer["ended_secrets"]] == ["previous"]


@pytest.mark.parametrize(
    ("which", "code", "detail"),
    [
        ("previous", "no_such_secret", "The endpoint has no previous secret"),
        (
            "current",
            "only_secret",
            "This is the only secret: rotate it with keep_previous_seconds 0 instead.",
        ),
    ],
)
def test_a_secret_that_cannot_be_revoked_stays(
    api: APIClient, trigger: Trigger, which: str, code: str, detail: str
) -> None:
    response = ask(api, trigger, "revoke-secret", which=which)

    assert response.status_code == 409
    assert response.json()["error_code"] == code
    assert response.json()["detail"] == detail
    assert knock(FIRST) == 200


@pytest.mark.parametrize(
    ("act", "body", "pointer", "detail"),
    [
        (
            "rotate-secret",
            {"keep_previous_seconds": -1},
            "/keep_previous_seconds",
            "Ensure this value is greater than or equal to 0.",
        ),
        (
            "rotate-secret",
            {"keep_previous_seconds": 30 * 86_400 + 1},
            "/keep_previous_seconds",
            "Ensure this value is less than or equal to 2592000.",
        ),
        ("rotate-secret", {"secret": ""}, "/secret", "This field may not be blank."),
        (
            "rotate-secret",
            {"secret": FIRST},
            "/secret",
            "Is already valid for this endpoint; give another secret",
        ),
        (
            "rotate-secret",
            {"secrets": "x"},
            "/secrets",
            "Unknown field. Did you mean 'secret'?",
        ),
        ("revoke-secret", {}, "/which", "This field is required."),
        (
            "revoke-secret",
            {"which": "all"},
            "/which",
            "Must be one of: current, previous.",
        ),
    ],
)
def test_an_invalid_request_changes_nothing(
    api: APIClient,
    trigger: Trigger,
    act: str,
    body: dict[str, object],
    pointer: str,
    detail: str,
) -> None:
    response = ask(api, trigger, act, **body)

    assert response.status_code == 400
    assert response.json()["errors"] == [{"pointer": pointer, "detail": detail}]
    assert live_secrets(WebhookEndpoint.objects.get()) == [FIRST]


@pytest.mark.parametrize("act", ["rotate-secret", "revoke-secret"])
def test_only_a_webhook_trigger_has_secrets(api: APIClient, act: str) -> None:
    response = ask(api, make_trigger(), act, which="current")

    assert response.status_code == 404
    assert response.json()["error_code"] == "no_webhook"
    assert response.json()["detail"] == (
        "Only webhook triggers have a webhook; trigger_type is 'manual'"
    )


@pytest.mark.parametrize(
    "act", ["rotate-secret", "revoke-secret", "regenerate-webhook"]
)
def test_users_who_may_not_change_triggers_cannot_rotate_secrets(
    act: str, trigger: Trigger
) -> None:
    before = WebhookEndpoint.objects.values().get()

    response = ask(client_of("view_trigger"), trigger, act, which="current")

    assert response.status_code == 403
    assert WebhookEndpoint.objects.values().get() == before


@pytest.mark.parametrize(
    "act", ["rotate-secret", "revoke-secret", "regenerate-webhook"]
)
def test_secrets_of_an_endpoint_of_agents_of_others_cannot_be_rotated(
    act: str, trigger: Trigger, restricted: Agent
) -> None:
    make_trigger(trigger_type="webhook", endpoint=trigger.endpoint, agent=restricted)
    before = WebhookEndpoint.objects.values().get()

    response = ask(client_of("change_trigger"), trigger, act)

    assert response.status_code == 403
    assert response.json()["detail"] == FOREIGN_ENDPOINT
    assert WebhookEndpoint.objects.values().get() == before


def test_a_rotation_lists_the_other_triggers_of_the_endpoint(
    api: APIClient, trigger: Trigger
) -> None:
    other = make_trigger(trigger_type="webhook", endpoint=trigger.endpoint)

    answer = ask(api, trigger, "rotate-secret").json()

    assert answer["shared_with"] == [str(other.pk)]


def test_a_new_secret_appears_in_no_other_response_and_no_log(
    api: APIClient, trigger: Trigger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    secret = ask(api, trigger, "rotate-secret").json()["webhook_secret"]

    later = [
        api.get(f"{URL}{path}").content.decode()
        for path in ("", f"/{trigger.pk}", f"/{trigger.pk}/webhook-url")
    ]
    revoked = ask(api, trigger, "revoke-secret", which="previous")
    assert secret not in "".join(later) + revoked.content.decode()
    assert secret not in caplog.text


def test_an_expired_secret_is_no_longer_listed(
    api: APIClient, trigger: Trigger
) -> None:
    ask(api, trigger, "rotate-secret", keep_previous_seconds=60)
    path = f"{URL}/{trigger.pk}/webhook-url"

    before = api.get(path).json()["webhook_secrets"]
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
        after = api.get(path).json()["webhook_secrets"]

    assert [state["which"] for state in before] == ["current", "previous"]
    assert [state["which"] for state in after] == ["current"]


def test_a_generated_secret_has_the_format_of_its_type(api: APIClient) -> None:
    webhook = {"type_slug": "standardwebhooks"}
    made = make_created(trigger_type="webhook", webhook=webhook)

    answer = ask(api, made.trigger, "rotate-secret").json()

    assert answer["webhook_secret"].startswith("whsec_")
    assert answer["webhook_secret"] != made.webhook_secret


def test_a_secret_that_only_the_sender_creates_is_required(
    api: APIClient, trigger: Trigger
) -> None:
    text = "Discord shows you its public key: enter it as the secret"
    body = {
        "name": "chat",
        "agent_id": str(trigger.agent_id),
        "trigger_type": "webhook",
        "webhook_type": "discord",
    }

    response = api.post(URL, body)

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"pointer": "/webhook_config/secret", "detail": text}
    ]
    assert Trigger.objects.get() == trigger
