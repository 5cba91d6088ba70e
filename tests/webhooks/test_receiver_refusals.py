"""Every refusal: its status and code, and what is stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import LazySettings
from django.test import Client

from tests.senders.requests import SECRET, hex_hmac
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import Rejection, RejectionCount, WebhookEndpoint
from webhooks.rejections.recording import flush_rejections

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

BODY = b'{"a": 1}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request that is refused, with the first check that it fails."""

    status: int
    rules: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = BODY
    method: str = "POST"
    content_type: str = "application/json"
    is_forged: bool = False
    sent_before: bytes | None = None


PROXIED = {"HTTPS": True, "TRUSTED_PROXIES": [ip_network("10.0.0.0/8")]}
NEEDS_B = {"type": "object", "required": ["b"]}

CASES = {
    "method_not_allowed": Case(status=405, method="PUT"),
    "https_required": Case(status=403, settings=PROXIED),
    "body_too_large": Case(status=413, body=b" " * (10 * 2**20 + 1)),
    "address_not_allowed": Case(
        status=403, rules={"allowed_addresses": ["192.0.2.0/24"]}, is_forged=True
    ),
    "address_rate_limited": Case(
        status=429, settings={"TICKHOOK_ADDRESS_LIMIT": 1}, sent_before=b"[]"
    ),
    "forgery_rate_limited": Case(
        status=429, settings={"TICKHOOK_FORGERY_LIMIT": 1}, is_forged=True
    ),
    "invalid_signature": Case(status=401, is_forged=True, body=b"{"),
    "endpoint_rate_limited": Case(
        status=429, rules={"rate_limit": {"per_minute": 1}}, sent_before=b"[]"
    ),
    "global_rate_limited": Case(
        status=429, settings={"TICKHOOK_GLOBAL_LIMIT": 1}, sent_before=b"[]"
    ),
    "malformed_body": Case(status=400, body=b"{", content_type="multipart/form-data"),
    "validation_failed": Case(status=400, rules={"json_schema": NEEDS_B}),
    "delivery_id_conflict": Case(status=409, sent_before=b"[]"),
}


def make_endpoint(rules: Mapping[str, Any]) -> WebhookEndpoint:
    return create_endpoint(config={"secret": SECRET}, validation_rules=rules).endpoint


def send(endpoint: WebhookEndpoint, case: Case, body: bytes | None = None) -> Answer:
    sent = case.body if body is None else body
    headers = {
        "X-Webhook-Signature": "0" * 64 if case.is_forged else hex_hmac(sent),
        "Webhook-Id": "msg_1",
        "Authorization": f"Bearer {SECRET}",
        "X-Note": f"my secret is {SECRET}",
    }
    return Client(REMOTE_ADDR="203.0.113.7").generic(
        case.method,
        f"/webhooks/{endpoint.webhook_id}",
        sent,
        case.content_type,
        headers=headers,
    )


def refused(case: Case, settings: LazySettings) -> tuple[WebhookEndpoint, Answer]:
    for name, value in case.settings.items():
        setattr(settings, name, value)
    endpoint = make_endpoint(case.rules)
    if case.sent_before is not None:
        assert send(endpoint, case, case.sent_before).status_code == 200
    if case.status == 429 and case.is_forged:
        assert send(endpoint, case).status_code == 401
    answer = send(endpoint, case)
    flush_rejections()
    return endpoint, answer


@pytest.mark.parametrize("code", CASES)
def test_a_refusal_has_its_status_and_code(code: str, settings: LazySettings) -> None:
    case = CASES[code]

    _, answer = refused(case, settings)

    assert answer.status_code == case.status
    assert answer.json()["error_code"] == code
    assert answer.json()["success"] is False
    assert SECRET not in answer.content.decode()
    if case.sent_before is None:
        assert_nothing_happened()


@pytest.mark.parametrize("code", CASES)
def test_a_refusal_is_counted_and_stored_without_a_secret(
    code: str, settings: LazySettings
) -> None:
    endpoint, _ = refused(CASES[code], settings)

    kept = Rejection.objects.get(cause=code)
    assert RejectionCount.objects.get(cause=code).count == 1
    assert (kept.endpoint_id, kept.status) == (endpoint.id, CASES[code].status)
    assert kept.remote_address == "203.0.113.7"
    assert kept.headers["x-note"] == "my secret is [secret]"
    assert SECRET not in f"{kept.headers}{kept.detail}{bytes(kept.body)!r}"


def test_a_secret_in_a_body_is_not_stored(settings: LazySettings) -> None:
    case = Case(status=401, is_forged=True, body=f'["{SECRET}"]'.encode())

    refused(case, settings)

    assert bytes(Rejection.objects.get().body) == b'["[secret]"]'


def test_only_the_start_of_a_large_body_is_stored(settings: LazySettings) -> None:
    refused(Case(status=401, is_forged=True, body=b"x" * 100_000), settings)

    assert bytes(Rejection.objects.get().body) == b"x" * 16_384


def test_the_delivery_id_of_a_refused_request_is_stored(settings: LazySettings) -> None:
    refused(CASES["delivery_id_conflict"], settings)

    assert Rejection.objects.get().delivery_id == "msg_1"


def test_an_unknown_webhook_leaves_nothing() -> None:
    send(WebhookEndpoint(webhook_id="wht_unknown"), Case(status=404))
    flush_rejections()

    assert not Rejection.objects.exists()
    assert not RejectionCount.objects.exists()


def test_a_refused_head_is_counted() -> None:
    endpoint = make_endpoint({})

    send(endpoint, Case(status=405, method="HEAD", body=b""))
    flush_rejections()

    assert RejectionCount.objects.get().cause == "method_not_allowed"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("192.0.2.77", 200),
        ("::ffff:192.0.2.77", 200),
        ("2001:db8::5", 200),
        ("192.0.3.1", 403),
        ("2001:db8::6", 403),
        ("", 403),
    ],
)
def test_an_endpoint_accepts_only_its_allowed_addresses(
    address: str, status: int
) -> None:
    allowed = ["192.0.2.0/24", "2001:db8::5"]
    endpoint = create_endpoint(validation_rules={"allowed_addresses": allowed}).endpoint

    answer = Client(REMOTE_ADDR=address).post(
        f"/webhooks/{endpoint.webhook_id}", BODY, "application/json"
    )

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("address", "scheme", "status"),
    [
        ("10.0.0.1", "https", 200),
        ("10.0.0.1", "http", 403),
        ("10.0.0.1", "", 403),
        ("203.0.113.7", "https", 403),
    ],
)
def test_behind_a_proxy_only_https_is_accepted(
    address: str, scheme: str, status: int, settings: LazySettings
) -> None:
    settings.HTTPS, settings.TRUSTED_PROXIES = True, [ip_network("10.0.0.0/8")]
    endpoint = create_endpoint().endpoint

    answer = Client(REMOTE_ADDR=address).post(
        f"/webhooks/{endpoint.webhook_id}",
        BODY,
        "application/json",
        headers={"X-Forwarded-Proto": scheme},
    )

    assert answer.status_code == status


def test_plain_http_is_refused_before_anything_else(settings: LazySettings) -> None:
    case = Case(
        status=403,
        settings=PROXIED,
        method="PUT",
        body=b" " * (10 * 2**20 + 1),
        is_forged=True,
        rules={"allowed_addresses": ["192.0.2.0/24"]},
    )

    _, answer = refused(case, settings)

    assert answer.json()["error_code"] == "https_required"
    assert "send to its https:// URL" in answer.json()["detail"]
    assert "TRUSTED_PROXIES" in answer.json()["detail"]
    assert_nothing_happened()


@pytest.mark.parametrize("is_https", [False, True])
def test_without_declared_proxies_the_scheme_is_not_known(
    is_https: bool, settings: LazySettings
) -> None:
    settings.HTTPS, settings.TRUSTED_PROXIES = is_https, []
    endpoint = create_endpoint().endpoint

    answer = Client().post(f"/webhooks/{endpoint.webhook_id}", BODY, "application/json")

    assert answer.status_code == 200


def test_a_body_is_checked_against_the_schema() -> None:
    schema = {"properties": {"a": {"type": "string"}}, "required": ["b"]}
    endpoint = create_endpoint(validation_rules={"json_schema": schema}).endpoint

    answer = Client().post(f"/webhooks/{endpoint.webhook_id}", BODY, "application/json")

    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert (answer.status_code, pointers) == (400, {"/body", "/body/a"})
    assert_nothing_happened()


def test_a_text_never_meets_a_schema() -> None:
    endpoint = create_endpoint(validation_rules={"json_schema": NEEDS_B}).endpoint

    answer = Client().post(f"/webhooks/{endpoint.webhook_id}", b"hi", "text/plain")

    assert answer.status_code == 400
    assert answer.json()["detail"] == "The body must be JSON or a form, not text"
