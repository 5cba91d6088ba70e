from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from agents.models import Agent
from common.redis import ask_redis
from events.models import Event
from tests.factories import make_trigger
from triggers.api.views import TriggerViewSet
from triggers.services import lifecycle

pytestmark = pytest.mark.django_db

EMIT = "/api/v1/events"


def test_an_error_is_a_problem_document(api: APIClient) -> None:  # R247
    sent = "0190d2c4-0000-7000-8000-000000000001"

    response = api.get("/api/v1/triggers/" + sent, HTTP_X_REQUEST_ID=sent)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem.pop("timestamp").endswith("+00:00")
    assert problem == {
        "type": "urn:tickhook:error:trigger_not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such trigger.",
        "instance": "/api/v1/triggers/" + sent,
        "errors": [],
        "error_code": "trigger_not_found",
        "error_message": "There is no such trigger.",
        "details": [],
        "request_id": sent,
    }


def test_a_request_without_an_id_gets_one(api: APIClient) -> None:
    response = api.get("/api/v1/nothing", HTTP_X_REQUEST_ID="not an id")

    assert UUID(response.json()["request_id"]).version == 7


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/nothing",
        "/api/v1/nothing",
        "/api/v1/triggers/",
        "/api/v1/triggers/not-an-id",
        "/api/v1/triggers/00000000-0000-0000-0000-000000000000/nothing",
    ],
)
def test_an_unknown_address_is_404(api: APIClient, method: str, path: str) -> None:
    response = getattr(api, method)(path)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "The API has no such address"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe\xfd",
        b'{"type": NaN}',
        b'{"type": 1e999}',
        b'{"type": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * 101 + b"]" * 101,
    ],
)
def test_a_body_that_is_not_json_is_400(api: APIClient, body: bytes) -> None:
    response = api.post(EMIT, body, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["error_code"] == "parse_error"
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"3", b"null"])
def test_a_body_must_be_an_object(api: APIClient, body: bytes) -> None:
    response = api.post(EMIT, body, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["error_code"] == "invalid"
    assert len(response.json()["errors"]) == 1


def test_a_body_that_is_too_large_is_413(api: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    response = api.post(EMIT, {"type": "invoice.paid", "payload": {"a": "x" * 100}})

    assert response.status_code == 413
    assert response.json()["detail"] == "At most 100 bytes are accepted here"
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"],
)
def test_another_content_type_is_415(api: APIClient, content_type: str) -> None:
    response = api.post(EMIT, b"type=invoice.paid", content_type=content_type)

    assert response.status_code == 415
    assert response.json()["error_code"] == "unsupported_media_type"


def test_another_method_is_405_and_says_which_are_allowed(api: APIClient) -> None:
    response = api.post("/api/v1/executions", {})

    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, OPTIONS"
    assert response.json()["error_code"] == "method_not_allowed"


def test_an_answer_in_another_format_is_406(api: APIClient) -> None:
    response = api.get("/api/v1/triggers", HTTP_ACCEPT="image/png")

    assert response.status_code == 406
    assert response["Content-Type"] == "application/problem+json"


def test_an_unavailable_database_is_503(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:  # R259
    def fail(view: TriggerViewSet) -> None:
        raise OperationalError("connection refused at 10.0.0.7")

    monkeypatch.setattr(TriggerViewSet, "get_queryset", fail)

    response = api.get("/api/v1/triggers")

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.json()["error_code"] == "unavailable"
    assert "10.0.0.7" not in response.content.decode()


def test_an_unexpected_error_shows_only_its_id(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(lifecycle, "delete_trigger", fail)
    api.raise_request_exception = False

    response = api.delete(f"/api/v1/triggers/{make_trigger().pk}")

    assert response.status_code == 500
    assert (
        response.json()["error_message"] == "An error was logged under this request_id."
    )
    assert "a secret path" not in response.content.decode()
    assert response.json()["request_id"] in caplog.text


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ({"page": "999999"}, 404, None),
        ({"page": "abc"}, 404, None),
        ({"page": "0"}, 404, None),
        ({"page": "9" * 5000}, 404, None),
        ({"page_size": "abc"}, 400, "/page_size"),
        ({"page_size": "0"}, 400, "/page_size"),
        ({"page_size": "-1"}, 400, "/page_size"),
        ({"page_size": "²"}, 400, "/page_size"),
        ({"status": "banana"}, 400, "/status"),
        ({"status": "\x00"}, 400, "/status"),
        ({"trigger_id": "1"}, 400, "/trigger_id"),
        ({"event_id": "\x00"}, 400, "/event_id"),
        ({"error_type": "\x00"}, 400, "/error_type"),
        ({"start_date": "yesterday"}, 400, "/start_date"),
        ({"end_date": "2026-02-30"}, 400, "/end_date"),
        ({"end_time": "2026-02-30T00:00:00\x00"}, 400, "/end_time"),
        ({"sort_by": "password"}, 400, "/sort_by"),
        ({"sort_order": "up"}, 400, "/sort_order"),
    ],
)
def test_a_query_that_cannot_be_read_is_rejected(
    api: APIClient, query: dict[str, str], status: int, pointer: str | None
) -> None:
    response = api.get("/api/v1/executions", query)

    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    pointers = [fault["pointer"] for fault in response.json()["errors"]]
    assert pointers == ([pointer] if pointer else [])


@pytest.mark.parametrize(
    "instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31"]
)
@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_the_first_and_the_last_instant_are_accepted(
    api: APIClient, name: str, instant: str
) -> None:
    response = api.get("/api/v1/executions", {name: instant})

    assert response.status_code in {200, 400}


def test_a_page_has_at_most_500_rows(api: APIClient) -> None:
    response = api.get("/api/v1/executions", {"page_size": "9" * 5000})

    assert response.json()["page_size"] == 500


def test_a_limited_number_of_unknown_fields_is_reported(api: APIClient) -> None:
    body = {f"{n:03}/~" + "x" * 300: n for n in range(1000)}

    response = api.post("/api/v1/agents", body)

    faults = response.json()["errors"]
    unknown = [f for f in faults if f["detail"] == "Unknown field."]
    assert response.status_code == 400
    assert len(unknown) == 20
    assert unknown[0]["pointer"].startswith("/000~1~0xxx")
    assert len(unknown[0]["pointer"]) == 103
    assert not Agent.objects.exists()


def test_a_rejected_request_queues_nothing(api: APIClient) -> None:
    api.post(EMIT, {"type": "no.such_type"})

    assert not Event.objects.exists()
    assert ask_redis(lambda redis: redis.dbsize(), otherwise=-1) == 0
