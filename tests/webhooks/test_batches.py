"""Requests that are received together; `each_way` runs the other tests with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, OperationalError, connection
from django.http import HttpResponse
from pytest_django import DjangoAssertNumQueries, Settings

from events.models import Event
from events.services.record import NewEvent, record_events
from tests.outages import end_connections
from tests.races import ROUNDS, THREADS, race_all
from tests.webhooks.received import make_endpoint
from tests.webhooks.uploads import PARCELS
from webhooks.endpoints.lifecycle import update_endpoint
from webhooks.models import Rejection, WebhookEndpoint
from webhooks.receiver import batches
from webhooks.receiver.batches import BatchReceiver
from webhooks.rejections.recording import flush_rejections
from webhooks.types import upload_type
from webserver.wsgi import Environ, build_environ

pytestmark = pytest.mark.django_db


@pytest.fixture
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the connection of a test, which is in a transaction, open."""
    monkeypatch.setattr(batches, "close_old_connections", lambda: None)


def request(
    endpoint: WebhookEndpoint | str,
    body: bytes = b'{"a":1}',
    *,
    client: str = "127.0.0.1",
    **headers: str,
) -> Environ:
    hook = endpoint if isinstance(endpoint, str) else endpoint.webhook_id
    sent = {"host": "testserver", "content-type": "application/json"} | {
        name.replace("_", "-").lower(): value for name, value in headers.items()
    }
    path = f"/webhooks/{hook}"
    scope = {
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": (client, 4711),
        "server": ("testserver", 80),
    }
    return build_environ(scope, body)


def receive(*requests: Environ) -> list[HttpResponse]:
    answers = BatchReceiver()(requests)
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def receive_all(endpoint: WebhookEndpoint, ids: list[str]) -> list[tuple[str, ...]]:
    """Return delivery id, event id and status of each request of a batch."""
    answers = receive(*(request(endpoint, webhook_id=one) for one in ids))
    return [
        (delivery_id, content["event_id"], content["status"])
        for delivery_id, content in zip(ids, map(read, answers), strict=True)
    ]


def statuses(answers: Sequence[HttpResponse]) -> list[int]:
    return [answer.status_code for answer in answers]


def read(answer: HttpResponse) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(answer.content)
    return content


@pytest.mark.usefixtures("_one_connection")
def test_a_batch_is_one_select_and_one_insert(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    endpoints = [make_endpoint() for _ in range(4)]
    requests = [request(endpoints[n % 4], webhook_id=str(n)) for n in range(32)]

    with django_assert_num_queries(2):
        answers = receive(*requests)

    assert statuses(answers) == [200] * 32
    ids = [UUID(read(answer)["event_id"]) for answer in answers]
    recorded = dict(Event.objects.values_list("id", "delivery_id"))
    assert [recorded[event_id] for event_id in ids] == [str(n) for n in range(32)]


@pytest.mark.usefixtures("_one_connection")
def test_each_request_of_a_batch_has_its_own_answer() -> None:
    signed = make_endpoint(config={"secret": "a-secret-of-some-length"})
    answers = receive(
        request(make_endpoint()),
        request("wht_unknown"),
        request("with%00nul\x00"),
        request(signed),
        request(make_endpoint(validation_rules={"required_headers": ["X-One"]})),
        request(f"{make_endpoint().webhook_id}/"),
    )

    assert statuses(answers) == [200, 404, 404, 401, 400, 200]
    assert read(answers[3])["error_code"] == "invalid_signature"
    assert Event.objects.count() == 2
    flush_rejections()
    assert set(Rejection.objects.values_list("cause", flat=True)) == {
        *("invalid_signature", "validation_failed"),
    }


@pytest.mark.usefixtures("_one_connection")
def test_a_repeated_delivery_is_a_duplicate_also_within_a_batch() -> None:
    endpoint = make_endpoint()
    earlier = read(receive(request(endpoint, webhook_id="a"))[0])

    answers = receive(
        request(endpoint, webhook_id="a"),
        request(endpoint, webhook_id="b"),
        request(endpoint, webhook_id="b"),
        request(endpoint, b'{"a":2}', webhook_id="b"),
    )

    found = [read(answer) for answer in answers]
    assert statuses(answers) == [200, 200, 200, 409]
    assert found[0] == {**earlier, "status": "duplicate"}
    assert {one["status"] for one in found[1:3]} == {"accepted", "duplicate"}
    assert found[1]["event_id"] == found[2]["event_id"]
    assert Event.objects.count() == 2


@pytest.mark.usefixtures("_one_connection")
def test_a_changed_secret_holds_for_the_very_next_batch() -> None:
    endpoint = make_endpoint()
    assert statuses(receive(request(endpoint), request(endpoint))) == [200, 200]

    config = {"secret": "a-secret-of-some-length"}
    update_endpoint(endpoint_id=endpoint.id, config=config)

    assert statuses(receive(request(endpoint), request(endpoint))) == [401, 401]


@pytest.mark.parametrize(
    "fields",
    [
        {"validation_rules": {"json_schema": {"required": ["a"]}}},
        {
            "type_slug": "sns",
            "config": {"topic_arn": "arn:aws:sns:us-east-1:123456789012:a"},
        },
        {"type_slug": "cloudevents"},
        {"type_slug": "parcels", "config": {"api_key": "k"}},
    ],
)
@pytest.mark.usefixtures("_one_connection")
def test_a_request_that_may_take_long_is_left_to_a_thread(
    fields: dict[str, Any],
) -> None:
    upload_type(document=PARCELS)
    slow, quick = make_endpoint(**fields), make_endpoint()

    answers = BatchReceiver()([request(slow), request(quick)])

    assert answers[0] is None
    assert answers[1] is not None
    assert answers[1].status_code == 200
    assert Event.objects.count() == 1


@pytest.mark.usefixtures("_one_connection")
def test_a_row_that_cannot_be_recorded_is_lost_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = make_endpoint()

    def reject_one(events: Sequence[NewEvent]) -> set[UUID]:
        if any(event.delivery_id == "bad" for event in events):
            raise DataError("this row")
        return record_events(events)

    monkeypatch.setattr(batches, "record_events", reject_one)

    ids = ("a", "bad", "b")
    answers = receive(*(request(endpoint, webhook_id=one) for one in ids))

    assert statuses(answers) == [200, 500, 200]
    assert set(Event.objects.values_list("delivery_id", flat=True)) == {"a", "b"}


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_breaks_at_the_insert_answers_503_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = make_endpoint()
    calls: list[int] = []

    def break_off(events: Sequence[NewEvent]) -> set[UUID]:
        calls.append(len(events))
        record_events(events)
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patched:
        patched.setattr(batches, "record_events", break_off)
        answers = receive(*(request(endpoint, webhook_id=str(n)) for n in range(3)))

    assert statuses(answers) == [503] * 3
    assert [answer["Retry-After"] for answer in answers] == ["5"] * 3
    assert calls == [3]
    again = receive(*(request(endpoint, webhook_id=str(n)) for n in range(3)))
    assert [read(answer)["status"] for answer in again] == ["duplicate"] * 3


@pytest.mark.django_db(transaction=True)
def test_after_a_restart_of_the_server_a_batch_is_accepted() -> None:
    endpoint = make_endpoint()
    receive(request(endpoint))

    end_connections()

    assert statuses(receive(request(endpoint), request(endpoint))) == [200, 200]
    assert connection.is_usable()


@pytest.mark.django_db(transaction=True)
def test_batches_that_race_record_each_delivery_once() -> None:
    """Each of 8 threads receives the same 12 deliveries, in its own order."""
    endpoint = make_endpoint()
    for round_ in range(ROUNDS):
        ids = [f"{round_}-{number}" for number in range(12)]
        orders = [ids[n:] + ids[:n] for n in range(THREADS)]

        raced = race_all([partial(receive_all, endpoint, order) for order in orders])

        answered = Counter(answer for answers in raced for answer in answers)
        assert set(answered.values()) <= {1, THREADS - 1}
        assert Counter(status for _, _, status in answered.elements()) == {
            "accepted": len(ids),
            "duplicate": len(ids) * (THREADS - 1),
        }
    assert Event.objects.count() == ROUNDS * 12


@pytest.mark.usefixtures("_one_connection")
def test_the_proxy_of_each_request_counts(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    forwarded: Any = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https"}
    endpoint = make_endpoint()

    receive(
        request(endpoint, client="10.0.0.1", webhook_id="a", **forwarded),
        request(endpoint, client="192.0.2.1", webhook_id="b", **forwarded),
    )

    stored = {event.delivery_id: event.request for event in Event.objects.all()}
    assert stored["a"]["remote_address"] == "203.0.113.9"
    assert stored["b"]["remote_address"] == "192.0.2.1"
    assert "x-forwarded-for" not in stored["b"]["headers"]
