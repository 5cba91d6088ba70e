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
    MOST_SAMPLES,
    CauseCount,
    RejectedRequest,
    count_rejections,
    flush_rejections,
    note_rejection,
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


def note(
    endpoint_id: UUID,
    times: int = 1,
    *,
    cause: str = "invalid_signature",
    is_verified: bool = False,
) -> None:
    for _ in range(times):
        note_rejection(
            endpoint_id=endpoint_id,
            cause=cause,
            is_verified=is_verified,
            describe=partial(rejected, endpoint_id, cause),
        )


def counted(**wanted: Any) -> int:
    found = RejectionCount.objects.filter(**wanted).aggregate(all=Sum("count"))
    return found["all"] or 0


@time_machine.travel(NOON, tick=False)
def test_ten_thousand_refusals_are_counted_and_five_kept(
    endpoint: WebhookEndpoint,
) -> None:
    for _ in range(10):
        note(endpoint.id, 1000)
        flush_rejections()

    assert counted(endpoint=endpoint) == 10_000
    assert Rejection.objects.count() == 5
    assert RejectionCount.objects.count() == 1


def test_a_flood_is_a_few_statements(endpoint: WebhookEndpoint) -> None:
    note(endpoint.id, 1000)

    with CaptureQueriesContext(connection) as queries:
        flush_rejections()

    # Two of them begin and end what the test's own transaction is around.
    assert len(queries) == 6


@time_machine.travel(NOON, tick=False)
def test_five_of_a_cause_are_kept_a_minute(endpoint: WebhookEndpoint) -> None:
    note(endpoint.id, 100)
    note(endpoint.id, 100, cause="validation_failed", is_verified=True)
    flush_rejections()
    note(endpoint.id, 100)
    flush_rejections()

    kept = Rejection.objects.values_list("cause", flat=True)
    assert sorted(kept) == ["invalid_signature"] * 5 + ["validation_failed"] * 20
    assert counted(cause="invalid_signature") == 200


def test_the_next_minute_keeps_more(endpoint: WebhookEndpoint) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        note(endpoint.id, 10)
        clock.shift(60)
        note(endpoint.id, 10)
    flush_rejections()

    assert Rejection.objects.count() == 10


def test_counts_are_by_the_hour(endpoint: WebhookEndpoint) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        note(endpoint.id, 2)
        clock.shift(3600)
        note(endpoint.id, 3)
    flush_rejections()

    hours = RejectionCount.objects.order_by("hour").values_list("hour", "count")
    assert [(hour.isoformat(), number) for hour, number in hours] == [
        ("2026-01-05T12:00:00+00:00", 2),
        ("2026-01-05T13:00:00+00:00", 3),
    ]


def test_counts_are_told_by_cause(endpoint: WebhookEndpoint) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        note(endpoint.id, 2)
        clock.shift(2 * 24 * 3600)
        note(endpoint.id, 3)
        note(endpoint.id, cause="malformed_body")
        flush_rejections()

        counts = count_rejections(endpoint.id)

    assert counts == [
        CauseCount(cause="invalid_signature", last_day=3, in_all=5),
        CauseCount(cause="malformed_body", last_day=1, in_all=1),
    ]


def test_what_a_process_holds_is_bounded() -> None:
    for _ in range(MOST_SAMPLES):
        note(uuid7(), 2)

    _, samples = recording._buffer(os.getpid()).take()

    assert len(samples) == MOST_SAMPLES


def test_the_oldest_beyond_a_thousand_are_deleted(
    endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = create_endpoint().endpoint
    old = [
        Rejection(endpoint=of, status=401, received_at=timezone.now())
        for of in [*[endpoint] * 1010, other]
    ]
    Rejection.objects.bulk_create(old)

    note(endpoint.id)
    flush_rejections()

    assert Rejection.objects.filter(endpoint=endpoint).count() == 1000
    assert not Rejection.objects.filter(id__in=[r.id for r in old[:11]]).exists()
    assert Rejection.objects.filter(endpoint=other).count() == 1


def test_nothing_to_store_is_no_query() -> None:
    with CaptureQueriesContext(connection) as queries:
        flush_rejections()

    assert len(queries) == 0


def test_an_endpoint_that_is_gone_holds_up_nothing(endpoint: WebhookEndpoint) -> None:
    gone = create_endpoint().endpoint
    note(gone.id)
    note(endpoint.id)
    gone.delete()

    flush_rejections()

    assert Rejection.objects.get().endpoint_id == endpoint.id
    assert RejectionCount.objects.get().endpoint_id == endpoint.id


def test_counts_outlive_a_database_that_is_down(
    endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OperationalError

    note(endpoint.id, 3)
    with monkeypatch.context() as outage:
        outage.setattr(recording, "_store_samples", fail)
        with pytest.raises(OperationalError):
            flush_rejections()
    assert counted() == 0

    note(endpoint.id)
    flush_rejections()

    assert counted() == 4


def test_a_child_process_does_not_store_what_its_parent_will(
    endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(endpoint.id)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        flush_rejections()

    assert counted() == 0


@pytest.mark.django_db(transaction=True)
def test_racing_threads_lose_and_double_nothing() -> None:
    endpoints = [create_endpoint().endpoint.id for _ in range(3)]

    def note_and_flush() -> None:
        for endpoint_id in endpoints:
            note(endpoint_id, 10)
            flush_rejections()

    for number in range(1, ROUNDS + 1):
        race(note_and_flush)

        assert counted() == number * 8 * 3 * 10
