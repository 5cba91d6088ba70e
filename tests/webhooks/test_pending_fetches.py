from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from common.ids import uuid7
from common.outgoing import Unreachable
from tests.races import ROUNDS, THREADS, race_all
from tests.senders.sender_keys import certificate
from webhooks import pending_fetches
from webhooks.models import PendingFetch, PendingFetchKind, PendingFetchStatus
from webhooks.pending_fetches import MAX_ATTEMPTS, request_fetch, run_pending_fetches

URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    pending_fetches._load_certificate.cache_clear()


def ask(url: str = URL, kind: PendingFetchKind = PendingFetchKind.CERTIFICATE) -> bool:
    return request_fetch(kind=kind, url=url, endpoint_id=uuid7())


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes | None], list[str]]:
    """Let all URLs answer alike (None: not at all); return those that were asked."""

    def set_answer(answer: bytes | None) -> list[str]:
        asked: list[str] = []

        def fetch(url: str, *, max_bytes: int) -> bytes:
            asked.append(url)
            if answer is None:
                raise Unreachable("Answered with 500")
            return answer

        monkeypatch.setattr(pending_fetches, "fetch", fetch)
        return asked

    return set_answer


Answer = Callable[[bytes | None], list[str]]


def make_due() -> None:
    PendingFetch.objects.update(next_attempt_at=timezone.now())


def test_a_certificate_is_fetched_once_and_known_to_all(answer_with: Answer) -> None:
    pem = certificate()
    asked = answer_with(pem.encode())

    assert URL not in FetchedCertificates()
    assert [ask(), ask()] == [True, True]
    assert (run_pending_fetches(), run_pending_fetches()) == (1, 0)

    assert asked == [URL]
    assert FetchedCertificates()[URL] == pem


def test_what_is_no_certificate_is_not_trusted(answer_with: Answer) -> None:
    answer_with(b"<html>")
    ask()

    run_pending_fetches()

    fetch = PendingFetch.objects.get()
    assert (fetch.status, fetch.result) == (PendingFetchStatus.FAILED, "")
    assert fetch.error == "The answer is not a usable certificate"
    assert URL not in FetchedCertificates()


def test_of_a_confirmation_nothing_is_kept(answer_with: Answer) -> None:
    answer_with(b"<ConfirmSubscriptionResponse/>")
    ask("https://sns.eu-west-1.amazonaws.com/?Token=t", PendingFetchKind.CONFIRMATION)

    run_pending_fetches()

    fetch = PendingFetch.objects.get()
    assert (fetch.status, fetch.result) == (PendingFetchStatus.DONE, "")


def test_who_does_not_answer_is_asked_again_later_and_then_no_more(
    answer_with: Answer,
) -> None:
    asked = answer_with(None)
    ask("https://sns.eu-west-1.amazonaws.com/?Token=t", PendingFetchKind.CONFIRMATION)

    for attempt in range(1, MAX_ATTEMPTS[PendingFetchKind.CONFIRMATION] + 1):
        run_pending_fetches()
        run_pending_fetches()
        assert len(asked) == attempt
        make_due()
    assert run_pending_fetches() == 0

    fetch = PendingFetch.objects.get()
    assert (fetch.status, fetch.error) == (
        PendingFetchStatus.FAILED,
        "Answered with 500",
    )


def test_a_certificate_that_failed_is_fetched_again_if_it_is_named_again(
    answer_with: Answer,
) -> None:
    fetched = answer_with(None)
    ask()
    run_pending_fetches()

    assert [ask(), run_pending_fetches()] == [True, 0]
    make_due()
    assert run_pending_fetches() == 0
    assert [ask(), ask(), run_pending_fetches()] == [True, True, 1]

    assert fetched == [URL, URL]
    assert PendingFetch.objects.get().status == PendingFetchStatus.FAILED


def test_what_failed_an_hour_ago_is_forgotten(answer_with: Answer) -> None:
    answer_with(None)
    ask()
    PendingFetch.objects.update(
        status=PendingFetchStatus.FAILED,
        next_attempt_at=timezone.now() - timedelta(hours=2),
    )

    run_pending_fetches()

    assert not PendingFetch.objects.exists()


def test_of_many_that_failed_the_newest_are_kept(
    answer_with: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_fetches, "MAX_FAILED_KEPT", 2)
    answer_with(None)
    for number in range(4):
        ask(f"{URL}?{number}")

    assert [run_pending_fetches(), run_pending_fetches()] == [4, 0]

    kept = PendingFetch.objects.values_list("url", flat=True)
    assert set(kept) == {f"{URL}?2", f"{URL}?3"}


def test_pending_certificates_are_bounded_and_the_newest_has_a_place() -> None:
    told = [ask(f"{URL}?{n}") for n in range(105)]

    assert told == [True] * 105
    urls = set(PendingFetch.objects.values_list("url", flat=True))
    assert len(urls) == 100
    assert f"{URL}?104" in urls


def pend(endpoint_id: UUID, *numbers: int) -> list[bool]:
    return [
        request_fetch(
            kind=PendingFetchKind.CERTIFICATE, url=f"{URL}?{n}", endpoint_id=endpoint_id
        )
        for n in numbers
    ]


def pending_numbers() -> set[int]:
    urls = PendingFetch.objects.values_list("url", flat=True)
    return {int(url.partition("?")[2]) for url in urls}


def test_a_full_endpoint_replaces_its_youngest_and_nothing_of_others() -> None:
    pend(uuid7(), 100)
    victim = uuid7()

    assert pend(victim, *range(12)) == [True] * 12

    assert pending_numbers() == {100, *range(9), 11}


def test_a_known_url_replaces_nothing() -> None:
    victim = uuid7()
    pend(victim, *range(10))

    pend(victim, 3)

    assert pending_numbers() == set(range(10))


def test_what_a_worker_fetches_now_is_not_replaced() -> None:
    victim = uuid7()
    pend(victim, *range(10))
    youngest = PendingFetch.objects.filter(url=f"{URL}?9")
    youngest.update(next_attempt_at=timezone.now() + pending_fetches.LEASE)

    pend(victim, 10)

    assert pending_numbers() == {*range(8), 9, 10}


def test_a_full_table_replaces_of_the_endpoint_that_has_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pending_fetches, "MAX_PENDING", 4)
    pend(uuid7(), 1)
    pend(uuid7(), 2, 3, 4)

    pend(uuid7(), 5)

    assert pending_numbers() == {1, 2, 3, 5}


def test_a_confirmation_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_fetches, "MAX_PENDING_OF_ENDPOINT", 1)
    endpoint, kind = uuid7(), PendingFetchKind.CONFIRMATION

    told = [
        request_fetch(kind=kind, url=f"{URL}?{n}", endpoint_id=endpoint)
        for n in (1, 2, 1)
    ]

    assert told == [True, False, True]
    assert pending_numbers() == {1}


@pytest.mark.django_db(transaction=True)
def test_requests_next_to_each_other_keep_the_table_bounded() -> None:
    for _ in range(ROUNDS):
        PendingFetch.objects.all().delete()
        victim = uuid7()
        pend(victim, *range(10))
        acts: list[Callable[[], list[bool]]] = [
            partial(pend, victim, 100 + n) for n in range(THREADS)
        ]

        told = race_all(acts)

        assert any(told)
        assert PendingFetch.objects.count() <= 10 + THREADS


@pytest.mark.django_db(transaction=True)
def test_no_url_is_asked_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[bool] = []

    def fetch(url: str, *, max_bytes: int) -> bytes:
        inside.append(connection.in_atomic_block)
        return b""

    monkeypatch.setattr(pending_fetches, "fetch", fetch)
    ask(kind=PendingFetchKind.CONFIRMATION)

    run_pending_fetches()

    assert inside == [False]


@pytest.mark.django_db(transaction=True)
def test_workers_beside_each_other_ask_once(answer_with: Answer) -> None:
    asked = answer_with(b"yes")
    for round_ in range(20):
        for number in range(3):
            ask(f"{URL}?{round_}.{number}", PendingFetchKind.CONFIRMATION)
        barrier = Barrier(8)

        def work(barrier: Barrier = barrier) -> None:
            barrier.wait()
            run_pending_fetches()
            connection.close()

        threads = [Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(asked) == len(set(asked)) == 60
