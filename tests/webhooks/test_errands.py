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
from webhooks.models import Errand, ErrandKind, ErrandStatus
from webhooks.pending_fetches import certificates, fetching
from webhooks.pending_fetches.certificates import FetchedCertificates
from webhooks.pending_fetches.fetching import MAX_ATTEMPTS, request_errand, run_errands

URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    certificates._load.cache_clear()


def ask(url: str = URL, kind: ErrandKind = ErrandKind.CERTIFICATE) -> bool:
    return request_errand(kind=kind, url=url, endpoint_id=uuid7())


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

        monkeypatch.setattr(fetching, "fetch", fetch)
        return asked

    return set_answer


Answer = Callable[[bytes | None], list[str]]


def make_due() -> None:
    Errand.objects.update(next_attempt_at=timezone.now())


def test_a_certificate_is_fetched_once_and_known_to_all(answer_with: Answer) -> None:
    pem = certificate()
    asked = answer_with(pem.encode())

    assert URL not in FetchedCertificates()
    assert [ask(), ask()] == [True, True]
    assert (run_errands(), run_errands()) == (1, 0)

    assert asked == [URL]
    assert FetchedCertificates()[URL] == pem


def test_what_is_no_certificate_is_not_trusted(answer_with: Answer) -> None:
    answer_with(b"<html>")
    ask()

    run_errands()

    errand = Errand.objects.get()
    assert (errand.status, errand.result) == (ErrandStatus.FAILED, "")
    assert errand.error == "The answer is no certificate that could be used"
    assert URL not in FetchedCertificates()


def test_of_a_confirmation_nothing_is_kept(answer_with: Answer) -> None:
    answer_with(b"<ConfirmSubscriptionResponse/>")
    ask("https://sns.eu-west-1.amazonaws.com/?Token=t", ErrandKind.CONFIRMATION)

    run_errands()

    errand = Errand.objects.get()
    assert (errand.status, errand.result) == (ErrandStatus.DONE, "")


def test_who_does_not_answer_is_asked_again_later_and_then_no_more(
    answer_with: Answer,
) -> None:
    asked = answer_with(None)
    ask("https://sns.eu-west-1.amazonaws.com/?Token=t", ErrandKind.CONFIRMATION)

    for attempt in range(1, MAX_ATTEMPTS[ErrandKind.CONFIRMATION] + 1):
        run_errands()
        run_errands()
        assert len(asked) == attempt
        make_due()
    assert run_errands() == 0

    errand = Errand.objects.get()
    assert (errand.status, errand.error) == (ErrandStatus.FAILED, "Answered with 500")


def test_a_certificate_that_failed_is_fetched_again_if_it_is_named_again(
    answer_with: Answer,
) -> None:
    fetched = answer_with(None)
    ask()
    run_errands()

    assert [ask(), run_errands()] == [True, 0]
    make_due()
    assert run_errands() == 0
    assert [ask(), ask(), run_errands()] == [True, True, 1]

    assert fetched == [URL, URL]
    assert Errand.objects.get().status == ErrandStatus.FAILED


def test_what_failed_an_hour_ago_is_forgotten(answer_with: Answer) -> None:
    answer_with(None)
    ask()
    Errand.objects.update(
        status=ErrandStatus.FAILED, next_attempt_at=timezone.now() - timedelta(hours=2)
    )

    run_errands()

    assert not Errand.objects.exists()


def test_of_many_that_failed_the_newest_are_kept(
    answer_with: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_FAILED_KEPT", 2)
    answer_with(None)
    for number in range(4):
        ask(f"{URL}?{number}")

    assert [run_errands(), run_errands()] == [4, 0]

    kept = Errand.objects.values_list("url", flat=True)
    assert set(kept) == {f"{URL}?2", f"{URL}?3"}


def test_pending_certificates_are_bounded_and_the_newest_has_a_place() -> None:
    told = [ask(f"{URL}?{n}") for n in range(105)]

    assert told == [True] * 105
    urls = set(Errand.objects.values_list("url", flat=True))
    assert len(urls) == 100
    assert f"{URL}?104" in urls


def pend(endpoint_id: UUID, *numbers: int) -> list[bool]:
    return [
        request_errand(
            kind=ErrandKind.CERTIFICATE, url=f"{URL}?{n}", endpoint_id=endpoint_id
        )
        for n in numbers
    ]


def pending_numbers() -> set[int]:
    urls = Errand.objects.values_list("url", flat=True)
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
    youngest = Errand.objects.filter(url=f"{URL}?9")
    youngest.update(next_attempt_at=timezone.now() + fetching.LEASE)

    pend(victim, 10)

    assert pending_numbers() == {*range(8), 9, 10}


def test_a_full_table_replaces_of_the_endpoint_that_has_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "MAX_PENDING", 4)
    pend(uuid7(), 1)
    pend(uuid7(), 2, 3, 4)

    pend(uuid7(), 5)

    assert pending_numbers() == {1, 2, 3, 5}


def test_a_confirmation_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_PENDING_OF_ENDPOINT", 1)
    endpoint, kind = uuid7(), ErrandKind.CONFIRMATION

    told = [
        request_errand(kind=kind, url=f"{URL}?{n}", endpoint_id=endpoint)
        for n in (1, 2, 1)
    ]

    assert told == [True, False, True]
    assert pending_numbers() == {1}


@pytest.mark.django_db(transaction=True)
def test_requests_next_to_each_other_keep_the_table_bounded() -> None:
    for _ in range(ROUNDS):
        Errand.objects.all().delete()
        victim = uuid7()
        pend(victim, *range(10))
        acts: list[Callable[[], list[bool]]] = [
            partial(pend, victim, 100 + n) for n in range(THREADS)
        ]

        told = race_all(acts)

        assert any(told)
        assert Errand.objects.count() <= 10 + THREADS


@pytest.mark.django_db(transaction=True)
def test_no_url_is_asked_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[bool] = []

    def fetch(url: str, *, max_bytes: int) -> bytes:
        inside.append(connection.in_atomic_block)
        return b""

    monkeypatch.setattr(fetching, "fetch", fetch)
    ask(kind=ErrandKind.CONFIRMATION)

    run_errands()

    assert inside == [False]


@pytest.mark.django_db(transaction=True)
def test_workers_beside_each_other_ask_once(answer_with: Answer) -> None:
    asked = answer_with(b"yes")
    for round_ in range(20):
        for number in range(3):
            ask(f"{URL}?{round_}.{number}", ErrandKind.CONFIRMATION)
        barrier = Barrier(8)

        def work(barrier: Barrier = barrier) -> None:
            barrier.wait()
            run_errands()
            connection.close()

        threads = [Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(asked) == len(set(asked)) == 60
