from __future__ import annotations

import shlex

import pytest
from django.utils import timezone

from senders.signatures import verify_request
from webhooks.endpoints.sample_requests import sample_command
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

SECRETS = {
    "github": "it's a secret",
    "standardwebhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "generic": "other",
}


def endpoint_of(type_slug: str) -> WebhookEndpoint:
    secret = {"secret": SECRETS[type_slug], "valid_until": None}
    return WebhookEndpoint(webhook_id="wht_1", type=type_slug, secrets=[secret])


@pytest.mark.parametrize("type_slug", sorted(SECRETS))
def test_the_receiver_accepts_the_curl_command(type_slug: str) -> None:
    sample = sample_command(endpoint_of(type_slug))

    words = shlex.split(sample.curl.replace("\\\n", ""))
    assert words[:4] == ["curl", "-X", "POST", "http://testserver/webhooks/wht_1"]
    headers = dict(w.split(": ", 1) for f, w in zip(words, words[1:]) if f == "-H")  # noqa: RUF007, B905 - the second is shorter
    verify_request(
        type_slug,
        secrets=[SECRETS[type_slug]],
        method="POST",
        url=words[3],
        headers=headers,
        body=words[-1].encode(),
        now=timezone.now().timestamp(),
    )
    assert SECRETS[type_slug] not in sample.curl


def test_an_endpoint_without_a_secret_has_an_unsigned_command() -> None:
    sample = sample_command(WebhookEndpoint(webhook_id="wht_1", type="generic"))

    assert "Signature" not in sample.curl
    assert sample.valid_seconds is None


def test_a_get_endpoint_has_a_command_without_a_body() -> None:
    endpoint = WebhookEndpoint(
        webhook_id="wht_1", type="generic", allowed_methods=["GET"]
    )

    assert "--data" not in sample_command(endpoint).curl
