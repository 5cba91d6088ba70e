from __future__ import annotations

import base64

import pytest

from tests.webhooks.senders import (
    NOW,
    PUSH,
    SECRET,
    WHSEC,
    check,
    hex_hmac,
    standard_headers,
)
from webhooks.definitions import resolve, shipped_slugs
from webhooks.signatures import is_usable_secret, new_secret, sign_request


@pytest.mark.parametrize("slug", shipped_slugs())
def test_a_request_signed_here_verifies(slug: str) -> None:
    headers = sign_request(
        slug, secret=WHSEC, body=PUSH, now=NOW, delivery_id="d-1", event_type="push"
    )

    check(slug, headers, secrets=[WHSEC])


def test_a_signed_github_request_carries_what_github_sends() -> None:
    headers = sign_request(
        "github", secret=SECRET, body=PUSH, now=NOW, delivery_id="d", event_type="push"
    )

    assert headers == {
        "X-GitHub-Delivery": "d",
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH),
    }


def test_a_signed_standard_webhook_fits_the_specification() -> None:
    headers = sign_request(
        "standardwebhooks",
        secret=WHSEC,
        body=PUSH,
        now=NOW + 0.7,
        delivery_id="msg_1",
        event_type="gull.counted",
    )

    expected = {name.lower(): value for name, value in standard_headers().items()}
    assert headers == expected


def test_without_a_secret_nothing_is_signed() -> None:
    headers = sign_request(
        "generic", secret=None, body=b"", now=NOW, delivery_id="d", event_type="x"
    )

    assert headers == {"webhook-id": "d"}


@pytest.mark.parametrize("slug", shipped_slugs())
def test_a_new_secret_is_usable_and_never_the_same(slug: str) -> None:
    scheme = resolve(slug).signature
    assert scheme is not None

    first, second = new_secret(scheme), new_secret(scheme)

    assert is_usable_secret(scheme, first)
    assert first != second


def test_a_new_standard_webhooks_secret_has_its_form() -> None:
    scheme = resolve("standardwebhooks").signature
    assert scheme is not None

    secret = new_secret(scheme)

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert not is_usable_secret(scheme, "whsec_not base64")
