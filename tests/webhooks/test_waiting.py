from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from django.db import connection
from pytest_django import Settings

from webhooks.receiver import waiting
from webhooks.receiver.waiting import Executions, wait_for_executions, wanted_seconds

DONE: Executions = [{"execution_id": "e", "status": "success"}]
answers: Iterator[Executions | None]


def ask(event_id: UUID) -> Executions | None:
    return next(answers)


@pytest.fixture(autouse=True)
def _asked(settings: Settings) -> None:
    settings.TICKHOOK_FINAL_EXECUTIONS = f"{__name__}.ask"
    waiting._places.cache_clear()


def answer_with(*given: Executions | None) -> None:
    global answers
    answers = iter(given)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5),
        ("respond-async, Wait = 3; foo=bar", 3),
        ('wait="7"', 7),
        ("wait=2, wait=9", 2),
        ("", 0),
        ("wait", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ("wait=" + "9" * 5000, 0),
        ("waiting=5", 0),
    ],
)
def test_what_prefer_asks_for(prefer: str, seconds: int) -> None:
    assert wanted_seconds(prefer) == seconds


def test_the_answer_comes_as_soon_as_all_is_decided() -> None:
    answer_with(None, DONE)

    assert wait_for_executions(uuid4(), seconds=5) == DONE


def test_nobody_waits_longer_than_asked() -> None:
    answer_with(None, None, None)

    assert wait_for_executions(uuid4(), seconds=0.06) is None


def test_nothing_is_asked_where_nobody_waits() -> None:
    answer_with()

    assert wait_for_executions(uuid4(), seconds=0) is None


@pytest.mark.django_db(transaction=True)
def test_no_connection_is_held_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []
    connection.ensure_connection()
    monkeypatch.setattr(
        "time.sleep", lambda _: held.append(connection.connection is not None)
    )
    answer_with(None, None, DONE)

    assert wait_for_executions(uuid4(), seconds=5) == DONE
    assert held == [False, False]


def test_at_most_a_quarter_of_the_threads_wait() -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold(_: float) -> None:
        inside.set()
        leave.wait(10)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", hold)
        answer_with(None, DONE)
        first = threading.Thread(
            target=wait_for_executions, args=(uuid4(),), kwargs={"seconds": 5}
        )
        first.start()
        assert inside.wait(10)
        assert wait_for_executions(uuid4(), seconds=5) is None
        leave.set()
        first.join()
    answer_with(DONE)
    assert wait_for_executions(uuid4(), seconds=5) == DONE
