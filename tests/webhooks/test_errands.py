from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from common.ids import uuid7
from common.outgoing import Unreachable
from tests.webhooks.sender_keys import certificate
from webhooks.models import Errand, ErrandKind, ErrandStatus
from webhooks.services import certificates, errands
from webhooks.services.certificates import FetchedCertificates
from webhooks.services.errands import MAX_ATTEMPTS, request_errand, run_errands

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

        monkeypatch.setattr(errands, "fetch", fetch)
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
    assert (errand.status, errand.result) == (ErrandStatus.PENDING, "")
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
    ask()

    for attempt in range(1, MAX_ATTEMPTS + 1):
        run_errands()
        run_errands()
        assert len(asked) == attempt
        make_due()
    assert run_errands() == 0

    errand = Errand.objects.get()
    assert (errand.status, errand.error) == (ErrandStatus.FAILED, "Answered with 500")


def test_what_failed_an_hour_ago_may_be_asked_for_again(answer_with: Answer) -> None:
    answer_with(None)
    ask()
    Errand.objects.update(
        status=ErrandStatus.FAILED, next_attempt_at=timezone.now() - timedelta(hours=2)
    )

    run_errands()

    assert not Errand.objects.exists()


def test_strangers_can_not_pile_errands_up() -> None:
    told = [ask(f"{URL}?{n}") for n in range(105)]

    assert told == [True] * 100 + [False] * 5
    assert Errand.objects.count() == 100


def test_errands_of_one_endpoint_leave_room_for_those_of_others() -> None:
    victim = uuid7()
    kind = ErrandKind.CERTIFICATE

    told = [
        request_errand(kind=kind, url=f"{URL}?{n}", endpoint_id=victim)
        for n in range(12)
    ]

    assert told == [True] * 10 + [False] * 2
    assert ask() is True


@pytest.mark.django_db(transaction=True)
def test_no_url_is_asked_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[bool] = []

    def fetch(url: str, *, max_bytes: int) -> bytes:
        inside.append(connection.in_atomic_block)
        return b""

    monkeypatch.setattr(errands, "fetch", fetch)
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
