from __future__ import annotations

import base64
import json

import pytest

from senders.definitions import resolve, shipped_slugs
from senders.signatures import (
    InvalidSignature,
    OnlyTheSenderSigns,
    SecretComesFromSender,
    SignedRequest,
    is_usable_secret,
    new_secret,
    sign_request,
)
from tests.senders.requests import (
    NOW,
    PUSH,
    SECRET,
    URL,
    WHSEC,
    check,
    hex_hmac,
    standard_headers,
)

SIGNED_BY_SECRET = sorted(
    set(shipped_slugs()) - {"discord", "google-pubsub", "sendgrid", "sns"}
)
TAKES_JSON = sorted(set(SIGNED_BY_SECRET) - {"adyen", "microsoft-graph", "twilio"})


@pytest.mark.parametrize("slug", TAKES_JSON)
def test_a_request_that_tickhook_signs_verifies(slug: str) -> None:
    secret = "ana:secret" if slug == "pipedrive" else WHSEC
    signed = sign_request(
        slug,
        secret=secret,
        body=b'{"signature": {"token": "abc"}}',
        now=NOW,
        delivery_id="d-1",
        event_type="push",
        url=URL,
    )

    check(slug, signed.headers, secrets=[secret], body=signed.body, url=signed.url)


@pytest.mark.parametrize("slug", ["discord", "google-pubsub", "sendgrid", "sns"])
def test_a_scheme_with_a_private_key_cannot_be_signed(slug: str) -> None:
    with pytest.raises(OnlyTheSenderSigns) as raised:
        sign_request(
            slug, secret=SECRET, body=b"{}", now=NOW, delivery_id="d", event_type="e"
        )

    assert raised.value.http_status == 409


def test_a_signed_github_request_has_the_headers_of_github() -> None:
    signed = sign_request(
        "github", secret=SECRET, body=PUSH, now=NOW, delivery_id="d", event_type="push"
    )

    assert signed.body == PUSH
    assert signed.headers == {
        "X-GitHub-Delivery": "d",
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH),
    }


def test_a_signed_standard_webhook_matches_the_specification() -> None:
    signed = sign_request(
        "standardwebhooks",
        secret=WHSEC,
        body=PUSH,
        now=NOW + 0.7,
        delivery_id="msg_1",
        event_type="gull.counted",
    )

    expected = {name.lower(): value for name, value in standard_headers().items()}
    assert signed.headers == expected


def test_a_signature_can_be_in_the_body() -> None:
    signed = sign_request(
        "mailgun",
        secret=SECRET,
        body=b'{"signature": {"token": "abc", "timestamp": ""}, "n": 1}',
        now=NOW,
        delivery_id="abc",
        event_type="delivered",
    )

    assert signed.headers == {}
    assert json.loads(signed.body) == {
        "signature": {
            "token": "abc",
            "timestamp": str(NOW),
            "signature": hex_hmac(f"{NOW}abc".encode()),
        },
        "n": 1,
    }


@pytest.mark.parametrize("body", [b"", b"[]", b'{"signature": 1}', b"{", b"\xff"])
def test_a_body_that_cannot_contain_the_signature_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        sign_request(
            "mailgun",
            secret=SECRET,
            body=body,
            now=NOW,
            delivery_id="d",
            event_type="e",
        )


def test_without_a_secret_nothing_is_signed() -> None:
    signed = sign_request(
        "generic", secret=None, body=b"", now=NOW, delivery_id="d", event_type="x"
    )

    assert signed == SignedRequest(headers={"webhook-id": "d"}, body=b"")
    assert signed.valid_seconds is None


@pytest.mark.parametrize("slug", SIGNED_BY_SECRET)
def test_a_new_secret_is_usable_and_unique(slug: str) -> None:
    scheme = resolve(slug).signature
    assert scheme is not None

    first, second = new_secret(scheme), new_secret(scheme)

    assert is_usable_secret(scheme, first)
    assert first != second


def test_a_new_secret_of_standard_webhooks_has_the_required_form() -> None:
    scheme = resolve("standardwebhooks").signature
    assert scheme is not None

    secret = new_secret(scheme)

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert not is_usable_secret(scheme, "whsec_not base64")


@pytest.mark.parametrize("slug", ["discord", "sendgrid", "sns"])
def test_a_key_that_only_the_sender_makes_is_not_generated(slug: str) -> None:
    scheme = resolve(slug).signature
    assert scheme is not None

    with pytest.raises(SecretComesFromSender):
        new_secret(scheme)
