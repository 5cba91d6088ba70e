from __future__ import annotations

import gzip
from io import BytesIO
from typing import Any, NoReturn

import pytest
from django.test import Client, RequestFactory
from django.urls import resolve
from pytest_django import DjangoAssertNumQueries

from events.models import Event, EventSource, Inbox
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.uploads import MINIMAL
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import InvalidEndpoint, create_endpoint
from webhooks.models import WebhookEndpoint
from webhooks.types import upload_type

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return create_endpoint(subject="acme").endpoint


def make_endpoint(**fields: Any) -> WebhookEndpoint:
    return create_endpoint(**fields).endpoint


def test_a_request_becomes_an_event(endpoint: WebhookEndpoint) -> None:
    response = deliver(endpoint, b' {"a": 1.0} ', query="?q=1&q=2", X_Kept="yes")

    event = Event.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "status": "accepted",
        "event_id": str(event.id),
        "executions": [],
    }
    assert (event.source, event.type) == (EventSource.WEBHOOK, "generic.received")
    assert (event.endpoint_id, event.subject) == (endpoint.id, "acme")
    assert bytes(event.body) == b' {"a": 1.0} '
    assert event.request["method"] == "POST"
    assert event.request["query"] == {"q": ["1", "2"]}
    assert event.request["headers"]["x-kept"] == "yes"
    assert Inbox.objects.get().event_id == event.id


def test_a_delivery_is_one_select_and_one_insert(
    endpoint: WebhookEndpoint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        deliver(endpoint, Idempotency_Key="1")


@pytest.mark.parametrize("path", ["wht_unknown", "", "%00", "a/b/c", "%ff", "x" * 5000])
def test_an_unknown_path_is_not_found(path: str) -> None:
    response = Client().post(f"/webhooks/{path}", b"{}", "application/json")

    assert response.status_code == 404
    assert_nothing_happened()


def test_a_disabled_endpoint_is_not_found(endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(is_active=False)

    response = deliver(endpoint)

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["success"], body["error"]) == (False, "Trigger not found")
    assert body["error_code"] == "webhook_not_found"
    assert_nothing_happened()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"])
def test_a_method_that_is_not_allowed_gets_405_with_the_allowed_ones(
    method: str, endpoint: WebhookEndpoint
) -> None:
    response = deliver(endpoint, b"", method=method)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST, OPTIONS"
    assert_nothing_happened()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_allowed_method_is_accepted(method: str) -> None:
    endpoint = make_endpoint(allowed_methods=[method])

    assert deliver(endpoint, b"", method=method).status_code == 200

    assert Event.objects.get().request["method"] == method


def test_head_and_options_record_nothing() -> None:
    endpoint = make_endpoint(allowed_methods=["GET", "POST"])

    head, options = (deliver(endpoint, b"", method=m) for m in ("HEAD", "OPTIONS"))

    assert (head.status_code, head.content) == (200, b"")
    assert (options.status_code, options.headers["Allow"]) == (
        204,
        "GET, POST, OPTIONS",
    )
    assert_nothing_happened()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"[NaN]", "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 10_000, "application/json"),
        (b"x", "multipart/form-data"),
    ],
)
def test_a_malformed_body_is_refused(body: bytes, content_type: str) -> None:
    upload_type(slug="shop", document=MINIMAL)
    endpoint = make_endpoint(type_slug="shop")

    response = deliver(endpoint, body, content_type=content_type)

    assert response.status_code == 400
    assert response.json()["success"] is False
    assert_nothing_happened()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=1&b=2", "application/x-www-form-urlencoded"),
        (b"plain", "text/plain"),
        (b"<a/>", "application/xml"),
        (bytes(range(256)), "application/octet-stream"),
        (b"", ""),
        (b'{"s": "\\u0000 \\ud800"}', "application/json"),
    ],
)
def test_any_kind_of_body_is_stored_unchanged(
    body: bytes, content_type: str, endpoint: WebhookEndpoint
) -> None:
    response = deliver(endpoint, body, content_type=content_type)

    assert response.status_code == 200
    assert bytes(Event.objects.get().body) == body


def test_an_unusual_query_is_stored(endpoint: WebhookEndpoint) -> None:
    deliver(endpoint, query="?a=%00&b=%ff&c")

    assert Event.objects.get().request["query"] == {"a": "\x00", "b": "\ufffd", "c": ""}


def test_a_query_with_too_many_fields_is_refused(endpoint: WebhookEndpoint) -> None:
    response = deliver(endpoint, query="?" + "&".join(["a=1"] * 1001))

    assert response.status_code == 400
    assert_nothing_happened()


def test_a_body_that_is_announced_as_too_large_is_not_read(
    endpoint: WebhookEndpoint,
) -> None:
    response = send_raw(endpoint, FailingInput(), CONTENT_LENGTH=str(10 * 2**20 + 1))

    assert response.status_code == 413
    assert_nothing_happened()


class FailingInput(BytesIO):
    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was read")


def send_raw(endpoint: WebhookEndpoint, body: BytesIO, **meta: str) -> Any:
    """Call the view with the WSGI input and variables that a server passes to it."""
    path = f"/webhooks/{endpoint.webhook_id}"
    request = RequestFactory().post(path, content_type="application/json")
    request.META.update({"wsgi.input": body, **meta})
    view, _, arguments = resolve(path)
    return view(request, **arguments)


def test_a_body_in_chunks_is_read_to_its_end(endpoint: WebhookEndpoint) -> None:
    chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}

    response = send_raw(endpoint, BytesIO(b'{"a":1}'), **chunked)

    assert response.status_code == 200
    assert bytes(Event.objects.get().body) == b'{"a":1}'


def test_the_size_of_a_body_in_chunks_is_limited_too(endpoint: WebhookEndpoint) -> None:
    chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}

    response = send_raw(endpoint, BytesIO(b" " * (10 * 2**20 + 1)), **chunked)

    assert response.status_code == 413
    assert_nothing_happened()


@pytest.mark.parametrize("length", ["8", "many"])
def test_a_body_that_ends_early_is_refused(
    length: str, endpoint: WebhookEndpoint
) -> None:
    response = send_raw(endpoint, BytesIO(b'{"a":1}'), CONTENT_LENGTH=length)

    assert response.status_code == 400
    assert_nothing_happened()


def test_validation_rules_name_each_fault() -> None:
    endpoint = make_endpoint(
        validation_rules={"required_headers": ["X-Team"], "body_format": "json"}
    )

    response = deliver(endpoint, b"a=1", content_type="text/plain")

    assert response.status_code == 400
    pointers = [fault["pointer"] for fault in response.json()["errors"]]
    assert pointers == ["/headers/X-Team", "/body"]
    assert_nothing_happened()
    assert deliver(endpoint, X_Team="a").status_code == 200


def test_a_gzipped_body_is_stored_unchanged_and_parsed() -> None:
    endpoint = make_endpoint(validation_rules={"body_format": "json"})
    body = gzip.compress(b'{"a": 1}')

    answer = deliver(endpoint, body, Content_Encoding="gzip")

    event = Event.objects.get()
    assert answer.status_code == 200
    assert bytes(event.body) == body
    assert event.request["headers"]["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(bytes(2_000_000)), "gzip", 413),
        (b"{}", "gzip", 400),
        (b"{}", "br", 415),
    ],
)
def test_an_encoded_body_that_can_not_be_read_is_refused(
    endpoint: WebhookEndpoint, body: bytes, encoding: str, status: int
) -> None:
    answer = deliver(endpoint, body, Content_Encoding=encoding)

    assert answer.status_code == status
    assert_nothing_happened()


@pytest.mark.parametrize("seconds", [-1, 11, "5", True, None])
def test_the_waiting_time_of_an_endpoint_is_limited(seconds: Any) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        make_endpoint(config={"max_wait_seconds": seconds})

    pointers = [fault.pointer for fault in refused.value.faults]
    assert pointers == ["/webhook_config/max_wait_seconds"]


@pytest.mark.parametrize(("slug", "method"), [("websub", "POST"), ("meta", "GET")])
def test_an_unverified_body_is_not_decompressed_to_find_a_handshake(
    monkeypatch: pytest.MonkeyPatch, slug: str, method: str
) -> None:
    monkeypatch.setattr("webhooks.receiver.request.decode_body", _never)
    config = {"verify_token": "v", "secret": "s" * 32}
    endpoint = make_endpoint(type_slug=slug, config=config)

    answer = deliver(endpoint, gzip.compress(b"[]"), method=method)

    assert answer.status_code in {401, 405}
    assert_nothing_happened()


def _never(*_: object) -> NoReturn:
    raise AssertionError("an unverified body was decompressed")
