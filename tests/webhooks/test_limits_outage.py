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

from local.embedded import Server, start_valkey
from local.embedded.folders import remove_server_folder
from tests.acceptance.waiting import wait_for
from webhooks.limits import Use, Window, store
from webhooks.limits.outage import Outage
from webhooks.limits.store import ask

ONE = {Window("test", "outage", 1): Use.COUNT}


@pytest.fixture(autouse=True)
def outage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    """An outage of the test's own, which probes only when the test asks it to."""
    monkeypatch.setattr("webhooks.limits.outage.PAUSE_SECONDS", 3600)
    outage = Outage(store.probe, redis.RedisError)
    monkeypatch.setattr(store, "redis_outage", outage)
    yield outage
    outage.end()


@pytest.fixture
def valkey(settings: LazySettings, tmp_path: Path) -> Iterator[Server]:
    """A Valkey of the test's own, to stop and start."""
    server = start_valkey(tmp_path / "valkey")
    settings.REDIS_URL = server.url
    try:
        yield server
    finally:
        server.kill()
        remove_server_folder(tmp_path / "valkey")


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
    valkey: Server, caplog: pytest.LogCaptureFixture
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


def test_after_a_failure_no_request_asks(
    valkey: Server, questions: list[object]
) -> None:
    ask(ONE)
    valkey.kill()
    questions.clear()

    for _ in range(10):
        ask(ONE)

    assert len(questions) == 1


def test_a_thread_finds_out_that_redis_is_back_and_the_log_says_so(
    valkey: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhooks.limits.outage.PAUSE_SECONDS", 0.01)
    ask(ONE)
    valkey.kill()
    passed = [ask(ONE).is_allowed for _ in range(3)]
    back = start_valkey(tmp_path / "valkey")
    try:
        with caplog.at_level(logging.WARNING, logger="webhooks.limits"):
            wait_for(store.redis_outage.may_ask, timeout_seconds=30)
        verdicts = [ask(ONE).is_allowed for _ in range(3)]
    finally:
        back.kill()

    assert passed == [True] * 3
    assert verdicts.count(True) <= 1
    assert caplog.messages[-1].startswith("Redis answers again; ")


def test_a_fork_of_a_process_in_an_outage_probes_by_itself(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage.start(redis.ConnectionError())
    first = outage._prober
    assert first is not None
    monkeypatch.setattr(first, "is_alive", lambda: False)

    assert not outage.may_ask()

    assert outage._prober is not first


def test_a_redis_that_was_restarted_in_between_is_no_outage(
    valkey: Server, tmp_path: Path
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
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TIMEOUT_SECONDS", 1.0)
    full = {Window("test", "full", 1): Use.COUNT}
    ask(full)
    os.kill(valkey.process.pid, signal.SIGSTOP)
    ask(full)
    os.kill(valkey.process.pid, signal.SIGCONT)
    store.redis_outage.end()

    assert ask({Window("test", "free", 5): Use.COUNT_AND_TELL}).remaining == 4


def test_each_thread_and_each_server_has_a_connection_of_its_own(
    valkey: Server,
) -> None:
    ask(ONE)
    other: list[redis.Connection] = []

    thread = threading.Thread(target=lambda: other.append(store._connection()))
    thread.start()
    thread.join()

    assert store._connection() is store._connection()
    assert other[0] is not store._connection()


def test_a_child_process_makes_its_own_connection(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(ONE)
    parents = store._connection()

    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert store._connection() is not parents
