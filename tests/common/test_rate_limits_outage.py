"""Limits while Redis is down, hangs, or answers again."""

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

from common import rate_limits
from common.rate_limits import Use, Window, count_in_windows
from common.redis import CircuitBreaker
from local.embedded import Server, start_valkey
from local.embedded.folders import remove_server_folder
from tests.acceptance.waiting import wait_for

pytestmark = pytest.mark.usefixtures("servers")

ONE = {Window("test", "outage", 1): Use.COUNT}


@pytest.fixture(autouse=True)
def breaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[CircuitBreaker]:
    """A circuit breaker of the test's own, whose thread does not probe by itself."""
    monkeypatch.setattr("common.redis.PAUSE_SECONDS", 3600)
    consequence = rate_limits.breaker._consequence
    breaker = CircuitBreaker(rate_limits.probe, consequence=consequence)
    monkeypatch.setattr(rate_limits, "breaker", breaker)
    yield breaker
    breaker.close()


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
def calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The calls that were made to Redis."""
    made: list[object] = []
    call = rate_limits._call

    def record_call(arguments: list[str | int]) -> bytes:
        made.append(arguments)
        return call(arguments)

    monkeypatch.setattr(rate_limits, "_call", record_call)
    return made


def test_without_redis_all_requests_are_allowed(
    valkey: Server, caplog: pytest.LogCaptureFixture
) -> None:
    valkey.kill()

    with caplog.at_level(logging.WARNING, logger="common.redis"):
        results = [count_in_windows(ONE) for _ in range(20)]

    assert all(result.is_allowed for result in results)
    assert results[0].headers == {}
    assert rate_limits.breaker.skipped_calls == 20
    [record] = caplog.records
    assert record.getMessage() == (
        "Redis does not answer (ConnectionError); "
        "webhooks are accepted without limits, and each process counts logins by itself"
    )


def test_after_a_failure_no_request_calls_redis(
    valkey: Server, calls: list[object]
) -> None:
    count_in_windows(ONE)
    valkey.kill()
    calls.clear()

    for _ in range(10):
        count_in_windows(ONE)

    assert len(calls) == 1


def test_a_thread_closes_the_breaker_once_redis_answers_and_logs_it(
    valkey: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("common.redis.PAUSE_SECONDS", 0.01)
    count_in_windows(ONE)
    valkey.kill()
    passed = [count_in_windows(ONE).is_allowed for _ in range(3)]
    back = start_valkey(tmp_path / "valkey")
    try:
        with caplog.at_level(logging.WARNING, logger="common.redis"):
            wait_for(rate_limits.breaker.allows_call, timeout_seconds=30)
        results = [count_in_windows(ONE).is_allowed for _ in range(3)]
    finally:
        back.kill()

    assert passed == [True] * 3
    assert results.count(True) <= 1
    assert caplog.messages[-1].startswith("Redis answers again; ")


def test_a_forked_process_starts_its_own_probing_thread(
    breaker: CircuitBreaker,
) -> None:
    breaker.open(redis.ConnectionError())
    breaker._prober._forget_parent()  # as after a fork
    assert not breaker._prober.is_alive()

    assert not breaker.allows_call()

    assert breaker._prober.is_alive()


def test_a_restart_of_redis_does_not_open_the_breaker(
    valkey: Server, tmp_path: Path
) -> None:
    count_in_windows(ONE)
    valkey.stop()
    back = start_valkey(tmp_path / "valkey")
    try:
        result = count_in_windows({Window("test", "another", 1): Use.COUNT_AND_REPORT})
    finally:
        back.kill()

    assert result.window is not None
    assert rate_limits.breaker.skipped_calls == 0


def test_a_redis_that_hangs_delays_one_request_briefly(
    valkey: Server,
    calls: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limits, "TIMEOUT_SECONDS", 1.0)
    count_in_windows(ONE)
    calls.clear()
    os.kill(valkey.process.pid, signal.SIGSTOP)
    try:
        results = [count_in_windows(ONE) for _ in range(50)]
    finally:
        os.kill(valkey.process.pid, signal.SIGCONT)

    assert all(result.is_allowed for result in results)
    assert len(calls) == 1


def test_a_late_answer_is_not_read_as_that_of_the_next_request(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "TIMEOUT_SECONDS", 1.0)
    full = {Window("test", "full", 1): Use.COUNT}
    count_in_windows(full)
    os.kill(valkey.process.pid, signal.SIGSTOP)
    count_in_windows(full)
    os.kill(valkey.process.pid, signal.SIGCONT)
    rate_limits.breaker.close()

    assert (
        count_in_windows({Window("test", "free", 5): Use.COUNT_AND_REPORT}).remaining
        == 4
    )


def test_each_thread_has_its_own_connection(
    valkey: Server,
) -> None:
    count_in_windows(ONE)
    other: list[redis.Connection] = []

    thread = threading.Thread(target=lambda: other.append(rate_limits._connection()))
    thread.start()
    thread.join()

    assert rate_limits._connection() is rate_limits._connection()
    assert other[0] is not rate_limits._connection()


def test_a_child_process_opens_its_own_connection(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_in_windows(ONE)
    parents = rate_limits._connection()

    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert rate_limits._connection() is not parents
