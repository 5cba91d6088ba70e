from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint
from webhooks.receiver import view
from webhooks.receiver.request import WebhookRequest, find_endpoints

pytestmark = pytest.mark.django_db


def test_an_endpoint_is_found_as_the_orm_finds_it() -> None:
    secret = "a-secret-of-some-length"  # noqa: S105 - of a test
    made = create_endpoint(
        config={"secret": secret},
        allowed_methods=["POST", "PUT"],
        validation_rules={"required_headers": ["X-One"]},
    ).endpoint

    found = find_endpoints([made.webhook_id])[made.webhook_id]

    stored = WebhookEndpoint.objects.get(pk=made.pk)
    assert _values(found) == _values(stored)
    assert found.secrets[0]["secret"] == secret


def test_a_disabled_endpoint_is_not_found_at_once() -> None:
    endpoint = create_endpoint().endpoint
    find_endpoints([endpoint.webhook_id])

    WebhookEndpoint.objects.update(is_active=False)

    assert find_endpoints([endpoint.webhook_id]) == {}


def test_an_unknown_endpoint_is_not_found() -> None:
    assert find_endpoints(["wht_unknown", "wht_with\x00"]) == {}


def test_several_endpoints_are_found_in_one_query(
    django_assert_num_queries: Any,
) -> None:
    made = {create_endpoint().endpoint.webhook_id for _ in range(3)}

    with django_assert_num_queries(1):
        found = find_endpoints([*made, "wht_unknown"])

    assert {one.webhook_id for one in found.values()} == found.keys() == made


def _values(endpoint: WebhookEndpoint) -> dict[str, object]:
    fields = WebhookEndpoint._meta.concrete_fields
    return {field.attname: getattr(endpoint, field.attname) for field in fields}


@pytest.mark.parametrize("variable", ["REQUEST_URI", "RAW_URI"])
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/webhooks/%41?b=%2f+c", "http://testserver/webhooks/%41?b=%2f+c"),
        ("http://other.test/webhooks/x", "http://testserver{path}?b=c%20d"),
        ("", "http://testserver{path}?b=c%20d"),
    ],
)
def test_the_url_to_verify_is_the_one_that_was_sent(
    monkeypatch: pytest.MonkeyPatch, variable: str, target: str, expected: str
) -> None:
    path = f"/webhooks/{create_endpoint().endpoint.webhook_id}"
    seen: list[WebhookRequest] = []

    def receive(request: WebhookRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    monkeypatch.setattr(view, "receive_alone", receive)

    client = Client()
    client.defaults[variable] = target
    client.post(f"{path}?b=c%20d", {})

    assert [request.url for request in seen] == [expected.format(path=path)]
