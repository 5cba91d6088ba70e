from __future__ import annotations

import os
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import OperationalError, connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common.ids import uuid7
from tests.races import ROUNDS, race
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import Rejection, RejectionCount, WebhookEndpoint
from webhooks.rejections import recording
from webhooks.rejections.recording import (
    MAX_BUFFERED_SAMPLES,
    CauseCount,
    RejectedRequest,
    count_rejections,
    flush_rejections,
    record_rejection,
)

pytestmark = pytest.mark.django_db

NOON = "2026-01-05T12:00:30Z"


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return create_endpoint().endpoint


def rejected(endpoint_id: UUID, cause: str = "invalid_signature") -> RejectedRequest:
    return RejectedRequest(
        id=uuid7(),
        endpoint=endpoint_id,
        cause=cause,
        status=401,
        detail="",
        method="POST",
        remote_address=None,
        delivery_id="",
        headers="{}",
        body=b"",
        received_at=timezone.now(),
    )


def reject(
    endpoint_id: UUID,
    times: int = 1,
    *,
    cause: str = "invalid_signature",
    is_verified: bool = False,
) -> None:
    for _ in range(times):
        record_rejection(
            endpoint_id=endpoint_id,
            cause=cause,
            is_verified=is_verified,
            describe=partial(rejected, endpoint_id, cause),
        )


def counted(**wanted: Any) -> int:
    found = RejectionCount.objects.filter(**wanted).aggregate(all=Sum("count"))
    return found["all"] or 0


@time_machine.travel(NOON, tick=False)
def test_ten_thousand_rejections_are_counted_and_five_stored(
    endpoint: WebhookEndpoint,
) -> None:
    for _ in range(10):
        reject(endpoint.id, 1000)
        flush_rejections()

    assert counted(endpoint=endpoint) == 10_000
    assert Rejection.objects.count() == 5
    assert RejectionCount.objects.count() == 1


def test_a_thousand_rejections_take_a_few_statements(endpoint: WebhookEndpoint) -> None:
    reject(endpoint.id, 1000)

    with CaptureQueriesContext(connection) as queries:
        flush_rejections()

    # Two of them are the savepoint within the test's own transaction.
    assert len(queries) == 6


@time_machine.travel(NOON, tick=False)
def test_five_of_a_cause_are_stored_per_minute(endpoint: WebhookEndpoint) -> None:
    reject(endpoint.id, 100)
    reject(endpoint.id, 100, cause="validation_failed", is_verified=True)
    flush_rejections()
    reject(endpoint.id, 100)
    flush_rejections()

    kept = Rejection.objects.values_list("cause", flat=True)
    assert sorted(kept) == ["invalid_signature"] * 5 + ["validation_failed"] * 20
    assert counted(cause="invalid_signature") == 200


def test_the_next_minute_stores_more(endpoint: WebhookEndpoint) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        reject(endpoint.id, 10)
        clock.shift(60)
        reject(endpoint.id, 10)
    flush_rejections()

    assert Rejection.objects.count() == 10


def test_rejections_are_counted_per_hour(endpoint: WebhookEndpoint) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        reject(endpoint.id, 2)
        clock.shift(3600)
        reject(endpoint.id, 3)
    flush_rejections()

    hours = RejectionCount.objects.order_by("hour").values_list("hour", "count")
    assert [(hour.isoformat(), number) for hour, number in hours] == [
        ("2026-01-05T12:00:00+00:00", 2),
        ("2026-01-05T13:00:00+00:00", 3),
    ]


def test_counts_are_grouped_by_cause(endpoint: WebhookEndpoint) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        reject(endpoint.id, 2)
        clock.shift(2 * 24 * 3600)
        reject(endpoint.id, 3)
        reject(endpoint.id, cause="malformed_body")
        flush_rejections()

        counts = count_rejections(endpoint.id)

    assert counts == [
        CauseCount(cause="invalid_signature", last_day=3, in_all=5),
        CauseCount(cause="malformed_body", last_day=1, in_all=1),
    ]


def test_the_buffer_of_a_process_is_bounded() -> None:
    for _ in range(MAX_BUFFERED_SAMPLES):
        reject(uuid7(), 2)

    _, samples = recording._buffer(os.getpid()).take()

    assert len(samples) == MAX_BUFFERED_SAMPLES


def test_the_oldest_rejections_beyond_a_thousand_are_deleted(
    endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = create_endpoint().endpoint
    old = [
        Rejection(endpoint=of, status=401, received_at=timezone.now())
        for of in [*[endpoint] * 1010, other]
    ]
    Rejection.objects.bulk_create(old)

    reject(endpoint.id)
    flush_rejections()

    assert Rejection.objects.filter(endpoint=endpoint).count() == 1000
    assert not Rejection.objects.filter(id__in=[r.id for r in old[:11]]).exists()
    assert Rejection.objects.filter(endpoint=other).count() == 1


def test_an_empty_buffer_needs_no_query() -> None:
    with CaptureQueriesContext(connection) as queries:
        flush_rejections()

    assert len(queries) == 0


def test_rejections_of_a_deleted_endpoint_are_dropped(
    endpoint: WebhookEndpoint,
) -> None:
    deleted = create_endpoint().endpoint
    reject(deleted.id)
    reject(endpoint.id)
    deleted.delete()

    flush_rejections()

    assert Rejection.objects.get().endpoint_id == endpoint.id
    assert RejectionCount.objects.get().endpoint_id == endpoint.id


def test_counts_are_kept_while_the_database_is_down(
    endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OperationalError

    reject(endpoint.id, 3)
    with monkeypatch.context() as outage:
        outage.setattr(recording, "_store_samples", fail)
        with pytest.raises(OperationalError):
            flush_rejections()
    assert counted() == 0

    reject(endpoint.id)
    flush_rejections()

    assert counted() == 4


def test_a_child_process_does_not_store_the_rejections_of_its_parent(
    endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    reject(endpoint.id)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        flush_rejections()

    assert counted() == 0


@pytest.mark.django_db(transaction=True)
def test_racing_threads_count_each_rejection_once() -> None:
    endpoints = [create_endpoint().endpoint.id for _ in range(3)]

    def reject_and_flush() -> None:
        for endpoint_id in endpoints:
            reject(endpoint_id, 10)
            flush_rejections()

    for number in range(1, ROUNDS + 1):
        race(reject_and_flush)

        assert counted() == number * 8 * 3 * 10
