from __future__ import annotations

import hashlib
import hmac

import pytest

from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.uploads import SIGNED
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import RejectionCount, WebhookEndpoint
from webhooks.rejections.recording import flush_rejections
from webhooks.types import upload_type

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

SECRET = "only for the tests"  # noqa: S105 - made up for the tests
SIGNED_GET = {
    "when": {"method": "GET", "equals": [{"query": "mode", "is": "hello"}]},
    "answer": {"text": "{query:mode}"},
}


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    """An endpoint for POST whose sender also sends a signed GET as a handshake."""
    upload_type(
        slug="greeter", document={**SIGNED, "handshakes": [SIGNED_GET]}, by="ana"
    )
    return create_endpoint(type_slug="greeter", config={"secret": SECRET}).endpoint


def signature(body: bytes = b"") -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def ask(endpoint: WebhookEndpoint, query: str, signed: str) -> tuple[int, bytes]:
    answer = deliver(
        endpoint, b"", method="GET", query=query, X_Parcel_Signature=signed
    )
    return answer.status_code, answer.content


def test_a_signed_handshake_is_answered_and_counted(endpoint: WebhookEndpoint) -> None:
    assert ask(endpoint, "?mode=hello", signature()) == (200, b"hello")

    flush_rejections()
    counted = RejectionCount.objects.get()
    assert (counted.cause, counted.count) == ("handshake", 1)
    assert_nothing_happened()


def test_a_signed_handshake_with_a_wrong_signature_gets_401(
    endpoint: WebhookEndpoint,
) -> None:
    assert ask(endpoint, "?mode=hello", signature(b"x"))[0] == 401
    assert_nothing_happened()


def test_a_delivery_cannot_use_the_method_of_a_handshake(
    endpoint: WebhookEndpoint,
) -> None:
    assert ask(endpoint, "?mode=other", signature())[0] == 405
    assert_nothing_happened()
