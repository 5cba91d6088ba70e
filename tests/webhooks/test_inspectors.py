from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains
from rest_framework.test import APIClient

from common import redis as common_redis
from common.redis import ask_redis
from events.models import Event
from senders.signatures import sign_request
from tests.races import race
from tests.webhooks.received import URL, make_endpoint, visitor
from tests.webhooks.uploads import MINIMAL
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.inspectors import inspection, store
from webhooks.inspectors.store import open_inspector
from webhooks.types import upload_type

pytestmark = pytest.mark.django_db


def opened(api: APIClient, **sent: Any) -> dict[str, Any]:
    response = api.post(f"{URL}/inspectors", sent)
    assert response.status_code == 201, response.json()
    answer: dict[str, Any] = response.json()
    return answer


def received(api: APIClient, inspector: dict[str, Any]) -> list[dict[str, Any]]:
    found = api.get(f"{URL}/inspectors/{inspector['token']}").json()
    requests: list[dict[str, Any]] = found["requests"]
    return requests


def send(
    inspector: dict[str, Any],
    body: bytes = b'{"a":1}',
    *,
    method: str = "POST",
    query: str = "",
    **headers: str,
) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    path = inspector["url"].removeprefix("http://testserver")
    return Client(headers=sent).generic(
        method, path + query, body, content_type="application/json"
    )


def test_an_inspector_of_an_uploaded_type_previews_the_answer(api: APIClient) -> None:
    upload_type(
        document={**MINIMAL, "slug": "shop", "json_schema": {"required": ["a"]}}
    )
    inspector = opened(api, type="Shop")

    send(inspector, b'{"b": 1}')

    [shown] = received(api, inspector)
    assert shown["would_be"]["cause"] == "validation_failed"
    assert shown["would_be"]["event_type"] == "shop.unknown"


def test_a_request_is_shown_and_becomes_no_event(api: APIClient) -> None:
    inspector = opened(api)

    answer = send(inspector, query="?q=1&q=2", method="PUT", X_Shop="7")

    [shown] = received(api, inspector)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "status": "shown"}
    assert (shown["method"], shown["query"]) == ("PUT", {"q": ["1", "2"]})
    assert (shown["body"], shown["body_size"]) == ('{"a":1}', 7)
    assert shown["headers"]["x-shop"] == "7"
    assert shown["would_be"] is None
    assert not Event.objects.exists()


def test_the_newest_request_is_shown_first(api: APIClient) -> None:
    inspector = opened(api)

    for number in (b"1", b"2"):
        send(inspector, number)

    assert [shown["body"] for shown in received(api, inspector)] == ["2", "1"]


def test_credentials_are_not_shown(api: APIClient) -> None:
    inspector = opened(api, type="gitlab")

    credentials: dict[str, Any] = {
        "Authorization": "Bearer ghijkl",
        "X_Gitlab_Token": "mnopqr",
    }
    send(inspector, query="?access_token=mnopqr", **credentials)

    [shown] = received(api, inspector)
    assert shown["headers"]["authorization"] == "(not shown)"
    assert shown["headers"]["x-gitlab-token"] == "(not shown)"
    assert shown["query"] == {"access_token": "(not shown)"}
    assert "ghijkl" not in str(shown)
    assert "mnopqr" not in str(shown)


def test_a_body_that_is_no_text_is_shown_in_base64(api: APIClient) -> None:
    inspector = opened(api)

    send(inspector, b"\xff\x00")

    [shown] = received(api, inspector)
    assert (shown["body"], shown["body_base64"]) == ("", "/wA=")


@pytest.mark.parametrize(
    ("secret", "signature", "cause"),
    [
        ("the right secret", "verified", None),
        ("a wrong secret!!", "refused", "invalid_signature"),
        (None, "refused", "invalid_signature"),
    ],
)
def test_an_inspector_of_an_endpoint_previews_the_signature_check(
    api: APIClient, secret: str | None, signature: str, cause: str | None
) -> None:
    config = {"secret": "the right secret"}
    endpoint = create_endpoint(type_slug="github", config=config).endpoint
    inspector = opened(api, endpoint_id=str(endpoint.pk))
    signed = sign_request(
        "github",
        secret=secret,
        body=b"{}",
        now=0,
        delivery_id="d-1",
        event_type="push",
    )

    send(inspector, b"{}", **signed.headers)

    [shown] = received(api, inspector)
    would = shown["would_be"]
    assert (would["signature"], would["cause"]) == (signature, cause)
    assert would["accepted"] is (cause is None)
    assert (would["event_type"], would["delivery_id"]) == ("github.push", "d-1")


def test_a_malformed_body_is_shown_with_its_cause(api: APIClient) -> None:
    inspector = opened(api, type="pagerduty")

    send(inspector, b"{", X_Delivery_Id="d-1")

    [shown] = received(api, inspector)
    assert shown["body"] == "{"
    assert shown["would_be"]["cause"] == "malformed_body"
    assert shown["would_be"]["event_type"] is None


def test_an_unknown_url_is_not_found(api: APIClient) -> None:
    answer = send({"url": "/webhook-tests/guessed"})

    assert answer.status_code == 404
    assert answer.json()["success"] is False
    assert api.get(f"{URL}/inspectors/guessed").status_code == 404


def test_an_inspector_stores_a_limited_number_of_requests(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_REQUESTS", 2)
    inspector = opened(api)

    statuses = [send(inspector).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert len(received(api, inspector)) == 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_do_not_exceed_the_limit(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_REQUESTS", 5)
    inspector = opened(api)

    statuses = race(lambda: send(inspector).status_code)

    assert sorted(statuses) == [200] * 5 + [429] * 3
    assert len(received(api, inspector)) == 5


def test_an_inspector_stores_a_limited_number_of_bytes(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_BYTES", 5000)
    inspector = opened(api)

    statuses = [send(inspector, b"x" * 2000).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_a_large_body_is_refused(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MAX_BODY_BYTES", 10)
    inspector = opened(api)

    assert send(inspector, b"x" * 11).status_code == 413
    assert received(api, inspector) == []


def test_the_number_of_inspectors_is_limited_and_each_expires(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_INSPECTORS", 2)
    monkeypatch.setattr(store, "LIFETIME_SECONDS", -1)
    open_inspector()
    monkeypatch.setattr(store, "LIFETIME_SECONDS", 3600)
    inspector = opened(api)
    opened(api)
    send(inspector)

    assert api.post(f"{URL}/inspectors").status_code == 429
    none: list[int] = []
    left = ask_redis(
        lambda r: [r.ttl(key) for key in r.keys("inspector:*")], otherwise=none
    )
    assert len(left) == 3
    assert all(3500 < seconds <= 3601 for seconds in left)


def test_inspectors_are_unavailable_without_redis(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector = opened(api)
    monkeypatch.setattr(common_redis.breaker, "allows_call", lambda: False)

    assert send(inspector).status_code == 503
    assert api.post(f"{URL}/inspectors").status_code == 503
    assert send(inspector)["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"endpoint_id": str(uuid4())}, "/endpoint_id"),
        ({"type": "unknown"}, "/type"),
        ({"typ": "github"}, "/typ"),
    ],
)
def test_an_invalid_request_is_refused(
    api: APIClient, sent: dict[str, str], pointer: str
) -> None:
    response = api.post(f"{URL}/inspectors", sent)

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == pointer


def test_inspectors_require_a_permission(api: APIClient) -> None:
    inspector = opened(api)
    viewer = visitor("view_event")

    assert viewer.post(f"{URL}/inspectors").status_code == 403
    looked = viewer.get(f"{URL}/inspectors/{inspector['token']}")
    assert looked.status_code == 403


def test_the_page_shows_the_requests(client: Client, admin: User) -> None:
    client.force_login(admin)
    endpoint = make_endpoint(type_slug="github")
    page = client.post(
        reverse("admin:webhooks_delivery_inspect", args=[endpoint.pk]), follow=True
    )
    token = page.redirect_chain[-1][0].rpartition("/")[2]
    send({"url": f"/webhook-tests/{token}"}, b'{"x":"<script>"}')

    page = client.get(reverse("admin:webhooks_delivery_inspector", args=[token]))

    assertContains(page, "Would be rejected: the signature does not match.")
    assertContains(page, "&lt;script&gt;")
    assertNotContains(page, '"<script>"')
