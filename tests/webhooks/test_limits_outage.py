"""What limits do when Redis is down, hangs, or comes back."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import LazySettings

from config.embedded import Server, start_valkey
from config.embedded.places import remove_place
from webhooks.limits import Use, Window, store
from webhooks.limits.outage import Outage
from webhooks.limits.store import ask

ONE = {Window("test", "outage", 1): Use.COUNT}


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("webhooks.limits.outage.time", clock)
    monkeypatch.setattr(store, "redis_outage", Outage())
    return clock


@pytest.fixture
def valkey(settings: LazySettings, tmp_path: Path) -> Iterator[Server]:
    """A Valkey of the test's own, to stop and start."""
    server = start_valkey(tmp_path / "valkey")
    settings.REDIS_URL = server.url
    try:
        yield server
    finally:
        server.kill()
        remove_place(tmp_path / "valkey")


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What Redis was really asked."""
    asked: list[object] = []
    ask_really = store._ask

    def noting(arguments: list[str | int]) -> bytes:
        asked.append(arguments)
        return ask_really(arguments)

    monkeypatch.setattr(store, "_ask", noting)
    return asked


def test_without_redis_all_pass(
    clock: Clock, valkey: Server, caplog: pytest.LogCaptureFixture
) -> None:
    valkey.kill()

    with caplog.at_level(logging.WARNING, logger="webhooks.limits"):
        verdicts = [ask(ONE) for _ in range(20)]

    assert all(verdict.is_allowed for verdict in verdicts)
    assert verdicts[0].headers == {}
    assert store.redis_outage.passed_in_all == 20
    assert [record.getMessage() for record in caplog.records] == [
        "Redis does not answer (ConnectionError); webhooks are taken without limits"
    ]


def test_after_a_failure_one_request_in_five_seconds_asks(
    clock: Clock, valkey: Server, questions: list[object]
) -> None:
    ask(ONE)
    valkey.kill()
    questions.clear()

    for moment in (0.0, 1.0, 4.9, 5.1, 5.2, 10.0, 10.2):
        clock.now = 1000 + moment
        ask(ONE)

    assert len(questions) == 3


def test_once_redis_is_back_limits_hold_and_the_log_says_so(
    clock: Clock, valkey: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ask(ONE)
    valkey.kill()
    for _ in range(3):
        ask(ONE)
    back = start_valkey(tmp_path / "valkey")
    try:
        clock.now += 5.1
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="webhooks.limits"):
            verdicts = [ask(ONE).is_allowed for _ in range(3)]
    finally:
        back.kill()

    assert verdicts.count(True) <= 1
    assert [record.getMessage() for record in caplog.records] == [
        "Redis answers again; 3 requests passed without limits"
    ]


def test_a_redis_that_was_restarted_in_between_is_no_outage(
    clock: Clock, valkey: Server, tmp_path: Path
) -> None:
    ask(ONE)
    valkey.stop()
    back = start_valkey(tmp_path / "valkey")
    try:
        verdict = ask({Window("test", "another", 1): Use.COUNT_AND_TELL})
    finally:
        back.kill()

    assert verdict.window is not None
    assert store.redis_outage.passed_in_all == 0


def test_a_redis_that_hangs_holds_up_one_request_briefly(
    clock: Clock,
    valkey: Server,
    questions: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "TIMEOUT_SECONDS", 1.0)
    ask(ONE)
    questions.clear()
    os.kill(valkey.process.pid, signal.SIGSTOP)
    try:
        verdicts = [ask(ONE) for _ in range(50)]
    finally:
        os.kill(valkey.process.pid, signal.SIGCONT)

    assert all(verdict.is_allowed for verdict in verdicts)
    assert len(questions) == 1


def test_an_answer_that_came_too_late_is_nobody_elses(
    clock: Clock, valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TIMEOUT_SECONDS", 1.0)
    full = {Window("test", "full", 1): Use.COUNT}
    ask(full)
    os.kill(valkey.process.pid, signal.SIGSTOP)
    ask(full)
    os.kill(valkey.process.pid, signal.SIGCONT)
    clock.now += 5.1

    assert ask({Window("test", "free", 5): Use.COUNT_AND_TELL}).remaining == 4


def test_each_thread_and_each_server_has_a_connection_of_its_own(
    clock: Clock, valkey: Server
) -> None:
    ask(ONE)
    other: list[redis.Connection] = []

    thread = threading.Thread(target=lambda: other.append(store._connection()))
    thread.start()
    thread.join()

    assert store._connection() is store._connection()
    assert other[0] is not store._connection()


def test_a_child_process_makes_its_own_connection(
    clock: Clock, valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(ONE)
    parents = store._connection()

    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert store._connection() is not parents
