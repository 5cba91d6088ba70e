from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from common.ids import uuid7
from common.outgoing import Unreachable
from tests.races import ROUNDS, THREADS, race_all
from tests.senders.sender_keys import certificate
from webhooks import pending_fetches
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import PendingFetch, PendingFetchKind, PendingFetchStatus
from webhooks.pending_fetches import (
    MAX_ATTEMPTS,
    FetchedCertificates,
    request_fetch,
    run_pending_fetches,
)

URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_cached_certificates() -> None:
    pending_fetches._load_certificate.cache_clear()


def request(
    url: str = URL, kind: PendingFetchKind = PendingFetchKind.CERTIFICATE
) -> bool:
    return request_fetch(kind=kind, url=url, endpoint_id=uuid7())


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes | None], list[str]]:
    """Set the answer of all URLs (None: an error); return the fetched URLs."""

    def set_answer(answer: bytes | None) -> list[str]:
        fetched: list[str] = []

        def fetch(url: str, *, max_bytes: int) -> bytes:
            fetched.append(url)
            if answer is None:
                raise Unreachable("Answered with 500")
            return answer

        monkeypatch.setattr(pending_fetches, "fetch", fetch)
        return fetched

    return set_answer


Answer = Callable[[bytes | None], list[str]]


def make_due() -> None:
    PendingFetch.objects.update(next_attempt_at=timezone.now())


def test_a_certificate_is_fetched_once_and_then_available(answer_with: Answer) -> None:
    pem = certificate()
    fetched = answer_with(pem.encode())

    assert URL not in FetchedCertificates()
    assert [request(), request()] == [True, True]
    assert (run_pending_fetches(), run_pending_fetches()) == (1, 0)

    assert fetched == [URL]
    assert FetchedCertificates()[URL] == pem


def test_an_answer_that_is_no_certificate_is_not_trusted(answer_with: Answer) -> None:
    answer_with(b"<html>")
    request()

    run_pending_fetches()

    fetch = PendingFetch.objects.get()
    assert (fetch.status, fetch.result) == (PendingFetchStatus.FAILED, "")
    assert fetch.error == "The answer is not a usable certificate"
    assert URL not in FetchedCertificates()


def test_the_answer_to_a_confirmation_is_not_stored(answer_with: Answer) -> None:
    answer_with(b"<ConfirmSubscriptionResponse/>")
    request(
        "https://sns.eu-west-1.amazonaws.com/?Token=t", PendingFetchKind.CONFIRMATION
    )

    run_pending_fetches()

    fetch = PendingFetch.objects.get()
    assert (fetch.status, fetch.result) == (PendingFetchStatus.DONE, "")


def test_a_failed_confirmation_is_retried_later_and_then_no_more(
    answer_with: Answer,
) -> None:
    fetched = answer_with(None)
    request(
        "https://sns.eu-west-1.amazonaws.com/?Token=t", PendingFetchKind.CONFIRMATION
    )

    for attempt in range(1, MAX_ATTEMPTS[PendingFetchKind.CONFIRMATION] + 1):
        run_pending_fetches()
        run_pending_fetches()
        assert len(fetched) == attempt
        make_due()
    assert run_pending_fetches() == 0

    fetch = PendingFetch.objects.get()
    assert (fetch.status, fetch.error) == (
        PendingFetchStatus.FAILED,
        "Answered with 500",
    )


def test_a_failed_certificate_is_fetched_again_when_requested_again(
    answer_with: Answer,
) -> None:
    fetched = answer_with(None)
    request()
    run_pending_fetches()

    assert [request(), run_pending_fetches()] == [True, 0]
    make_due()
    assert run_pending_fetches() == 0
    assert [request(), request(), run_pending_fetches()] == [True, True, 1]

    assert fetched == [URL, URL]
    assert PendingFetch.objects.get().status == PendingFetchStatus.FAILED


def test_failed_fetches_are_deleted_after_an_hour(answer_with: Answer) -> None:
    answer_with(None)
    request()
    PendingFetch.objects.update(
        status=PendingFetchStatus.FAILED,
        next_attempt_at=timezone.now() - timedelta(hours=2),
    )

    run_pending_fetches()

    assert not PendingFetch.objects.exists()


def test_of_many_failed_fetches_the_newest_are_kept(
    answer_with: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_fetches, "MAX_FAILED_KEPT", 2)
    answer_with(None)
    for number in range(4):
        request(f"{URL}?{number}")

    assert [run_pending_fetches(), run_pending_fetches()] == [4, 0]

    kept = PendingFetch.objects.values_list("url", flat=True)
    assert set(kept) == {f"{URL}?2", f"{URL}?3"}


def test_pending_certificates_are_limited_and_the_newest_is_among_them() -> None:
    results = [request(f"{URL}?{n}") for n in range(105)]

    assert results == [True] * 105
    urls = set(PendingFetch.objects.values_list("url", flat=True))
    assert len(urls) == 100
    assert f"{URL}?104" in urls


def request_numbers(endpoint_id: UUID, *numbers: int) -> list[bool]:
    return [
        request_fetch(
            kind=PendingFetchKind.CERTIFICATE, url=f"{URL}?{n}", endpoint_id=endpoint_id
        )
        for n in numbers
    ]


def pending_numbers() -> set[int]:
    urls = PendingFetch.objects.values_list("url", flat=True)
    return {int(url.partition("?")[2]) for url in urls}


def test_an_endpoint_at_its_limit_replaces_its_own_youngest_fetch() -> None:
    request_numbers(uuid7(), 100)
    victim = uuid7()

    assert request_numbers(victim, *range(12)) == [True] * 12

    assert pending_numbers() == {100, *range(9), 11}


def test_a_known_url_replaces_nothing() -> None:
    victim = uuid7()
    request_numbers(victim, *range(10))

    request_numbers(victim, 3)

    assert pending_numbers() == set(range(10))


def test_a_claimed_fetch_is_not_replaced() -> None:
    victim = uuid7()
    request_numbers(victim, *range(10))
    youngest = PendingFetch.objects.filter(url=f"{URL}?9")
    youngest.update(next_attempt_at=timezone.now() + pending_fetches.LEASE)

    request_numbers(victim, 10)

    assert pending_numbers() == {*range(8), 9, 10}


def test_at_the_global_limit_the_endpoint_with_the_most_fetches_loses_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pending_fetches, "MAX_PENDING", 4)
    request_numbers(uuid7(), 1)
    request_numbers(uuid7(), 2, 3, 4)

    request_numbers(uuid7(), 5)

    assert pending_numbers() == {1, 2, 3, 5}


def test_a_confirmation_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_fetches, "MAX_PENDING_OF_ENDPOINT", 1)
    endpoint, kind = uuid7(), PendingFetchKind.CONFIRMATION

    results = [
        request_fetch(kind=kind, url=f"{URL}?{n}", endpoint_id=endpoint)
        for n in (1, 2, 1)
    ]

    assert results == [True, False, True]
    assert pending_numbers() == {1}


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_stay_within_the_limit() -> None:
    for _ in range(ROUNDS):
        PendingFetch.objects.all().delete()
        victim = uuid7()
        request_numbers(victim, *range(10))
        acts: list[Callable[[], list[bool]]] = [
            partial(request_numbers, victim, 100 + n) for n in range(THREADS)
        ]

        results = race_all(acts)

        assert any(results)
        assert PendingFetch.objects.count() <= 10 + THREADS


@pytest.mark.django_db(transaction=True)
def test_no_url_is_fetched_inside_a_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside: list[bool] = []

    def fetch(url: str, *, max_bytes: int) -> bytes:
        inside.append(connection.in_atomic_block)
        return b""

    monkeypatch.setattr(pending_fetches, "fetch", fetch)
    request(kind=PendingFetchKind.CONFIRMATION)

    run_pending_fetches()

    assert inside == [False]


@pytest.mark.django_db(transaction=True)
def test_concurrent_workers_fetch_each_url_once(answer_with: Answer) -> None:
    fetched = answer_with(b"yes")
    for round_ in range(20):
        for number in range(3):
            request(f"{URL}?{round_}.{number}", PendingFetchKind.CONFIRMATION)
        barrier = Barrier(8)

        def run_worker(barrier: Barrier = barrier) -> None:
            barrier.wait()
            run_pending_fetches()
            connection.close()

        threads = [Thread(target=run_worker) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(fetched) == len(set(fetched)) == 60


def test_the_admin_shows_why_a_fetch_failed_but_no_token(
    client: Client, admin: User
) -> None:
    client.force_login(admin)
    fetch = PendingFetch.objects.create(
        kind=PendingFetchKind.CONFIRMATION,
        url="https://sns.eu-west-1.amazonaws.com/?Token=very-secret",
        endpoint_id=create_endpoint().endpoint.id,
        status=PendingFetchStatus.FAILED,
        next_attempt_at=timezone.now(),
        error="Answered with 500",
    )

    pages = [
        client.get(reverse("admin:webhooks_pendingfetch_changelist")),
        client.get(reverse("admin:webhooks_pendingfetch_change", args=[fetch.pk])),
    ]

    for page in pages:
        assert page.status_code == 200
        assert b"Answered with 500" in page.content
        assert b"sns.eu-west-1.amazonaws.com" in page.content
        assert b"very-secret" not in page.content
