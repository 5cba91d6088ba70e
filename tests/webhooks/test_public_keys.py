"""Senders that make their own keys and publish the public key, or a certificate."""

from __future__ import annotations

import base64
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.webhooks.deliveries import assert_nothing_happened, deliver
from webhooks.endpoints.lifecycle import (
    InvalidEndpoint,
    create_endpoint,
    update_endpoint,
)
from webhooks.endpoints.rotation import replace_url, rotate_secret
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

TOPIC = {"topic_arn": "arn:aws:sns:eu-west-1:1:gulls"}


def public_key(seed: int) -> str:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return private.public_key().public_bytes_raw().hex()


DISCORD_KEY, OTHER_KEY = public_key(1), public_key(2)


def make_discord() -> WebhookEndpoint:
    config = {"secret": DISCORD_KEY}
    return create_endpoint(type_slug="discord", config=config).endpoint


def stored(endpoint: WebhookEndpoint) -> list[str]:
    endpoint.refresh_from_db()
    return live_secrets(endpoint)


@pytest.mark.parametrize("secret", [None, True])
def test_a_key_that_the_sender_makes_is_required_and_never_generated(
    secret: object,
) -> None:
    with pytest.raises(InvalidEndpoint) as refusal:
        create_endpoint(type_slug="discord", config={"secret": secret})

    [fault] = refusal.value.faults
    assert fault.pointer == "/webhook_config/secret"
    assert fault.detail == "Discord shows you its public key: enter it as the secret"
    assert not WebhookEndpoint.objects.exists()


def test_a_key_in_another_form_than_the_sender_shows_is_rejected() -> None:
    key = base64.b64encode(bytes.fromhex(DISCORD_KEY)).decode()

    with pytest.raises(InvalidEndpoint) as refusal:
        create_endpoint(type_slug="discord", config={"secret": key})

    [fault] = refusal.value.faults
    assert fault.pointer == "/webhook_config/secret"
    assert fault.detail == "Is not a secret that Discord can use"
    assert not WebhookEndpoint.objects.exists()


def test_a_secret_never_becomes_a_public_key() -> None:
    looks_like_one = {"secret": DISCORD_KEY}
    endpoint = create_endpoint(type_slug="github", config=looks_like_one).endpoint

    with pytest.raises(InvalidEndpoint) as refusal:
        update_endpoint(endpoint_id=endpoint.pk, type_slug="discord")

    assert (
        refusal.value.detail
        == "Discord shows you its public key: enter it as the secret"
    )
    endpoint.refresh_from_db()
    assert endpoint.type == "github"


def test_a_change_of_another_setting_keeps_the_key() -> None:
    endpoint = make_discord()

    update_endpoint(endpoint_id=endpoint.pk, type_slug="discord", config={"n": 1})

    assert stored(endpoint) == [DISCORD_KEY]


@pytest.mark.parametrize("type_slug", ["github", "generic"])
def test_a_public_key_never_becomes_a_secret(type_slug: str) -> None:
    endpoint = make_discord()

    changed = update_endpoint(endpoint_id=endpoint.pk, type_slug=type_slug)

    assert changed.secret is not None
    assert stored(endpoint) == [changed.secret]
    assert changed.secret != DISCORD_KEY
    assert deliver(endpoint).status_code == 401
    assert_nothing_happened()


def test_a_secret_that_the_new_type_cannot_use_is_removed() -> None:
    endpoint = create_endpoint(type_slug="github").endpoint

    update_endpoint(endpoint_id=endpoint.pk, type_slug="sns", config=TOPIC)

    assert stored(endpoint) == []


def test_a_key_that_the_sender_makes_is_only_rotated_to_a_given_one() -> None:
    endpoint = make_discord()

    with pytest.raises(InvalidEndpoint, match="shows you its public key"):
        rotate_secret(endpoint_id=endpoint.pk)
    with pytest.raises(InvalidEndpoint) as refusal:
        replace_url(endpoint_id=endpoint.pk, rotate_secret=True)

    assert [fault.pointer for fault in refusal.value.faults] == ["/rotate_secret"]
    assert stored(endpoint) == [DISCORD_KEY]
    rotate_secret(endpoint_id=endpoint.pk, secret=OTHER_KEY)
    assert stored(endpoint) == [OTHER_KEY, DISCORD_KEY]


def test_a_sender_with_certificates_has_no_secret() -> None:
    endpoint = create_endpoint(type_slug="sns", config=TOPIC).endpoint
    text = "Amazon SNS signs with its own certificates: omit the secret"

    for act in (
        partial(create_endpoint, type_slug="sns", config={**TOPIC, "secret": True}),
        partial(rotate_secret, endpoint_id=endpoint.pk),
    ):
        with pytest.raises(InvalidEndpoint) as refusal:
            act()
        assert refusal.value.detail == text

    assert stored(endpoint) == []
