from __future__ import annotations

import pytest

from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint
from webhooks.receiver.endpoints import find_endpoint

pytestmark = pytest.mark.django_db


def test_an_endpoint_is_found_as_the_orm_finds_it() -> None:
    secret = "a-secret-of-some-length"  # noqa: S105 - of a test
    made = create_endpoint(
        config={"secret": secret},
        allowed_methods=["POST", "PUT"],
        validation_rules={"required_headers": ["X-One"]},
    ).endpoint

    found = find_endpoint(made.webhook_id)

    assert found is not None
    stored = WebhookEndpoint.objects.get(pk=made.pk)
    assert _values(found) == _values(stored)
    assert found.secrets[0]["secret"] == secret


def test_a_change_is_seen_at_once() -> None:
    endpoint = create_endpoint().endpoint
    find_endpoint(endpoint.webhook_id)

    WebhookEndpoint.objects.update(is_active=False)

    assert find_endpoint(endpoint.webhook_id) is None


def test_an_unknown_endpoint_is_none() -> None:
    assert find_endpoint("wht_unknown") is None


def _values(endpoint: WebhookEndpoint) -> dict[str, object]:
    fields = WebhookEndpoint._meta.concrete_fields
    return {field.attname: getattr(endpoint, field.attname) for field in fields}
