"""A fixed header, bearer token or basic login for senders that cannot sign."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from events.models import Event
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.uploads import MINIMAL
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import (
    InvalidEndpoint,
    create_endpoint,
    update_endpoint,
)
from webhooks.endpoints.sample_requests import sample_command
from webhooks.models import Rejection, WebhookEndpoint, WebhookType
from webhooks.rejections.recording import flush_rejections
from webhooks.types import upload_type

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

VALUE = "canary:value 1"
HEADER = {"type": "header", "name": "X-Api-Key", "value": VALUE}
BEARER = {"type": "bearer", "value": VALUE}
BASIC = {"type": "basic", "value": VALUE}
CODED = base64.b64encode(VALUE.encode()).decode()

every_kind = pytest.mark.parametrize(
    ("auth", "name", "text"),
    [
        (HEADER, "X-Api-Key", VALUE),
        (BEARER, "Authorization", f"Bearer {VALUE}"),
        (BEARER, "Authorization", f"bearer {VALUE}"),
        (BASIC, "Authorization", f"Basic {CODED}"),
    ],
)


def endpoint_with(auth: Any, **config: Any) -> WebhookEndpoint:
    return create_endpoint(config={"auth": auth, **config}).endpoint


def send_with(endpoint: WebhookEndpoint, headers: dict[str, Any]) -> Any:
    return deliver(endpoint, **headers)


def faults_of(auth: Any) -> dict[str, str]:
    with pytest.raises(InvalidEndpoint) as refusal:
        endpoint_with(auth)
    assert not WebhookEndpoint.objects.exists()
    return {fault.pointer: fault.detail for fault in refusal.value.faults}


@every_kind
def test_the_login_is_accepted_and_not_stored(
    auth: dict[str, str], name: str, text: str
) -> None:
    answer = send_with(endpoint_with(auth), {name: text})

    assert answer.status_code == 200
    assert VALUE not in str(Event.objects.get().request)
    assert CODED not in str(Event.objects.get().request)


@every_kind
@pytest.mark.parametrize("change", ["missing", "longer", "shorter"])
def test_any_other_login_is_refused(
    auth: dict[str, str], name: str, text: str, change: str
) -> None:
    wrong = {"missing": {}, "longer": {name: text + "x"}, "shorter": {name: text[:-1]}}

    answer = send_with(endpoint_with(auth), wrong[change])

    assert (answer.status_code, answer.json()["error_code"]) == (
        401, "invalid_signature",
    )  # fmt: skip
    assert_nothing_happened()
    flush_rejections()
    rejection = Rejection.objects.get()
    assert "canary" not in str(rejection.headers) + rejection.detail


def test_the_login_is_encrypted() -> None:
    endpoint_with(HEADER)

    with connection.cursor() as cursor:
        cursor.execute("SELECT row::text FROM webhooks_webhookendpoint AS row")
        assert "canary" not in cursor.fetchone()[0]


def test_a_login_and_a_secret_are_both_required() -> None:
    endpoint = endpoint_with(HEADER, secret=True)

    answer = deliver(endpoint, X_Api_Key=VALUE)

    assert answer.status_code == 401
    assert "X-Webhook-Signature" in answer.json()["detail"]


@pytest.mark.parametrize("config", [{}, {"max_wait_seconds": 1}])
def test_a_login_stays_if_a_change_does_not_mention_it(config: dict[str, int]) -> None:
    endpoint = endpoint_with(HEADER)

    update_endpoint(endpoint_id=endpoint.pk, config=config)

    assert deliver(endpoint).status_code == 401
    assert deliver(endpoint, X_Api_Key=VALUE).status_code == 200


def test_null_removes_a_login() -> None:
    endpoint = endpoint_with(HEADER)

    update_endpoint(endpoint_id=endpoint.pk, config={"auth": None})

    assert deliver(endpoint).status_code == 200
    assert WebhookEndpoint.objects.get().config == {}


@pytest.mark.parametrize(
    ("auth", "pointer", "detail"),
    [
        ("Bearer x", "", "Must be an object"),
        ({}, "/type", "Must be one of: header, bearer, basic"),
        ({**BEARER, "type": "Bearer"}, "/type", "Must be one of"),
        ({**BEARER, "name": "X"}, "/name", "is always Authorization"),
        ({**HEADER, "name": "X Key"}, "/name", "name of a header"),
        ({**HEADER, "name": "X_Key"}, "/name", "name of a header"),
        ({**HEADER, "name": "Host"}, "/name", "cannot carry a secret"),
        ({"type": "header", "value": "v"}, "/name", "name of a header"),
        ({**HEADER, "value": ""}, "/value", "1 to 1,000 characters"),
        ({**HEADER, "value": "x" * 1001}, "/value", "1 to 1,000 characters"),
        ({**HEADER, "value": 5}, "/value", "1 to 1,000 characters"),
        ({**HEADER, "value": " x"}, "/value", "without blanks"),
        ({**BEARER, "value": "é"}, "/value", "printable ASCII"),
        ({**BASIC, "value": "user"}, "/value", "Must be user:password"),
        ({**BASIC, "value": "user:"}, "/value", "Must be user:password"),
        ({**BASIC, "user": "u"}, "/user", "Unknown field"),
    ],
)
def test_an_invalid_login_is_refused(auth: Any, pointer: str, detail: str) -> None:
    found = faults_of(auth)

    assert detail in found[f"/webhook_config/auth{pointer}"]


def test_a_type_that_signs_takes_no_login() -> None:
    with pytest.raises(InvalidEndpoint) as refusal:
        create_endpoint(type_slug="github", config={"auth": BEARER})

    (fault,) = refusal.value.faults
    assert fault.pointer == "/webhook_config/auth"


def test_a_type_that_ignores_a_kept_login_is_accepted() -> None:
    endpoint = endpoint_with(BEARER)

    changed = update_endpoint(endpoint_id=endpoint.pk, type_slug="github").endpoint

    assert (changed.type, bool(changed.secrets)) == ("github", True)


def test_a_config_of_a_deleted_type_never_opens_the_endpoint() -> None:
    upload_type(slug="shop", document=MINIMAL)
    endpoint = create_endpoint(type_slug="shop", config={"auth": "anything"}).endpoint
    assert deliver(endpoint).status_code == 200
    WebhookType.objects.all().delete()

    assert deliver(endpoint, Authorization="Bearer ").status_code == 401
    endpoint.config = {"auth": {"type": "header"}}
    endpoint.type = "generic"
    endpoint.save()
    assert deliver(endpoint).status_code == 401


@every_kind
def test_a_test_event_has_the_login_and_the_example_a_placeholder(
    api: APIClient, auth: dict[str, str], name: str, text: str
) -> None:
    endpoint = endpoint_with(auth)
    sent = {"endpoint_id": str(endpoint.pk)}

    answer = api.post("/api/v1/deliveries/test", sent)

    assert answer.json()["status"] == 200
    command = sample_command(endpoint).curl
    assert f"-H '{name}: " in command
    assert "YOUR-SECRET" in command
    assert "canary" not in command
    assert CODED not in command
