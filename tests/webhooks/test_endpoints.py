from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.senders.requests import PUSH, SECRET, hex_hmac
from tests.webhooks.deliveries import deliver
from webhooks.endpoints.lifecycle import (
    InvalidEndpoint,
    create_endpoint,
    update_endpoint,
)
from webhooks.endpoints.secrets import live_secrets
from webhooks.endpoints.urls import webhook_url
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db


def test_an_endpoint_has_its_own_url() -> None:
    first, second = create_endpoint().endpoint, create_endpoint().endpoint

    assert len(first.webhook_id) == len("wht_") + 32
    assert first.webhook_id != second.webhook_id
    assert webhook_url(first) == f"http://testserver/webhooks/{first.webhook_id}"


@pytest.mark.parametrize(
    ("type_slug", "config", "is_made"),
    [
        ("generic", None, False),
        ("generic", {"secret": True}, True),
        ("github", None, True),
    ],
)
def test_a_secret_is_generated_if_the_type_signs_or_on_request(
    type_slug: str, config: dict[str, object] | None, is_made: bool
) -> None:
    made = create_endpoint(type_slug=type_slug, config=config)

    assert (made.secret is not None) == is_made
    assert len(made.endpoint.secrets) == is_made


def test_a_secret_is_not_kept_in_the_config() -> None:
    endpoint = create_endpoint(config={"secret": SECRET, "kept": 1}).endpoint

    assert endpoint.config == {"kept": 1}


def test_a_secret_without_a_config_keeps_the_config() -> None:
    endpoint = create_endpoint(type_slug="github", config={"note": "x"}).endpoint

    update_endpoint(endpoint_id=endpoint.pk, secret=SECRET)

    endpoint.refresh_from_db()
    assert endpoint.config == {"note": "x"}
    assert live_secrets(endpoint) == [SECRET]


def test_an_impossible_method_is_refused() -> None:
    with pytest.raises(InvalidEndpoint) as refusal:
        create_endpoint(type_slug="github", allowed_methods=["POST", "GET"])

    assert [fault.pointer for fault in refusal.value.faults] == ["/allowed_methods/1"]
    assert not WebhookEndpoint.objects.exists()


def test_a_new_secret_is_valid_at_once() -> None:
    endpoint = create_endpoint(config={"secret": SECRET}).endpoint
    new = "another secret, quite as long"

    update_endpoint(endpoint_id=endpoint.id, config={"secret": new})

    signed = {"X-Webhook-Signature": hex_hmac(PUSH, new)}
    assert deliver(endpoint, PUSH, **signed).status_code == 200


@pytest.mark.parametrize(("minutes_left", "status"), [(1, 200), (-1, 401)])
def test_a_previous_secret_is_valid_until_its_date(
    minutes_left: int, status: int
) -> None:
    until = timezone.now() + timedelta(minutes=minutes_left)
    endpoint = create_endpoint(config={"secret": "the current one, long"}).endpoint
    endpoint.secrets += [{"secret": SECRET, "valid_until": until.isoformat()}]
    endpoint.save(update_fields=["secrets"])

    signed = {"X-Webhook-Signature": hex_hmac(PUSH)}
    assert deliver(endpoint, PUSH, **signed).status_code == status


def test_an_endpoint_with_an_expired_secret_is_not_open() -> None:
    endpoint = create_endpoint(config={"secret": SECRET}).endpoint
    endpoint.secrets[0]["valid_until"] = timezone.now().isoformat()
    endpoint.save(update_fields=["secrets"])

    signed = {"X-Webhook-Signature": hex_hmac(PUSH)}
    assert deliver(endpoint, PUSH, **signed).status_code == 401
