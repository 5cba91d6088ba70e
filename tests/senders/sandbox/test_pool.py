from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Any

import pytest
from pydantic_monty import ExternalModule

from senders.sandbox import (
    SandboxRefused,
    SandboxTimedOut,
    SandboxUnavailable,
    pool,
    run_parser,
    run_validator,
)
from senders.sandbox.limits import _slow, exclusive_run
from tests.acceptance.waiting import wait_for
from tests.races import ROUNDS, race
from tests.senders.sandbox.code import ECHO, LOOPS, YES, parser_of
from tests.senders.sandbox.processes import kill_workers, workers_of


def echo(value: object) -> object:
    return run_parser(ECHO, body=value, headers={}, config={})["echo"]


def validate(**options: Any) -> bool:
    return run_validator(YES, headers={}, body={}, config={}, **options)


def keep_busy() -> None:
    with pytest.raises(SandboxRefused):
        run_validator(LOOPS["plain"], headers={}, body={}, config={})


@pytest.fixture
def new_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test its own pool, which it may break."""
    with monkeypatch.context() as patched:
        patched.setattr(pool, "_pool", None)
        yield
        if pool._pool is not None:
            pool.discard(pool._pool)


def test_eight_threads_do_not_disturb_each_other() -> None:
    numbers = iter(range(10_000))

    def call() -> bool:
        number = next(numbers)
        return echo({"n": number}) == {"n": number}

    for _ in range(ROUNDS):
        assert race(call) == [True] * 8


def test_interpreters_that_died_between_calls_are_replaced() -> None:
    for number in range(3):
        while len(workers_of(os.getpid())) < 2:
            race(keep_busy, threads=2)
        # One may be terminating by itself, because it was stopped in an endless loop.
        killed = kill_workers()

        assert echo(number) == number
        assert killed
        assert killed.isdisjoint(workers_of(os.getpid()))


def test_code_that_kills_each_interpreter_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crash = ExternalModule({"now": kill_workers})
    monkeypatch.setattr(pool, "host_modules", lambda _: {"crash": crash})

    with pytest.raises(SandboxRefused) as raised:
        run_parser(
            parser_of("import crash; crash.now()"), body={}, headers={}, config={}
        )

    assert raised.value.detail == "It crashed its interpreter"
    assert echo(1) == 1


@pytest.mark.parametrize("program", ["/nonexistent", "/bin/false"])
@pytest.mark.usefixtures("new_pool")
def test_a_sandbox_is_unavailable_until_it_can_be_started(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(pool, "worker_program", lambda: program)
        broken.setenv("MONTY_BIN", program)
        with pytest.raises(SandboxUnavailable, match="cannot be started"):
            echo(1)

    assert echo(1) == 1


@pytest.mark.usefixtures("new_pool")
def test_a_broken_pool_is_replaced() -> None:
    assert echo(1) == 1
    broken = pool.current_pool()
    broken.close()

    with pytest.raises(SandboxUnavailable):
        echo(2)

    assert echo(3) == 3
    assert pool.current_pool() is not broken


@pytest.mark.parametrize("program", [None, "/bin/false"])
@pytest.mark.usefixtures("new_pool")
def test_the_sandbox_runs_without_the_limits_of_the_kernel(
    program: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "worker_program", lambda: program)

    assert echo(1) == 1


def test_a_validator_is_unavailable_while_all_interpreters_are_busy() -> None:
    slots = pool.current_pool().slots

    with ExitStack() as busy:
        for _ in range(pool.MAX_PROCESSES):
            busy.enter_context(slots.hold(wait_seconds=30))
        with pytest.raises(SandboxUnavailable) as raised:
            validate()

    assert raised.value.detail == "No interpreter is free to run the code; try again."


@pytest.mark.usefixtures("_ample_time_for_code")
def test_a_validator_runs_as_soon_as_an_interpreter_is_free() -> None:
    slots = pool.current_pool().slots

    with ThreadPoolExecutor(1) as threads:
        with ExitStack() as busy:
            for _ in range(pool.MAX_PROCESSES):
                busy.enter_context(slots.hold(wait_seconds=30))
            call = threads.submit(validate)
            wait_for(slots.count_waiting, timeout_seconds=60)

        assert call.result() is True


@pytest.mark.usefixtures("_ample_time_for_code")
def test_calls_with_the_same_key_run_one_after_the_other() -> None:
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(validate, one_at_a_time="quick") for _ in range(80)]

    assert [call.result() for call in calls] == [True] * 80


def test_a_call_does_not_wait_for_slow_code(monkeypatch: pytest.MonkeyPatch) -> None:
    # A call that waits exceeds the time limit of the test.
    monkeypatch.setattr("senders.sandbox.limits.MAX_WAIT_SECONDS", 1000.0)
    endless = "def validate():\n    while True: pass"
    with pytest.raises(SandboxTimedOut):
        run_validator(endless, headers={}, body={}, config={}, one_at_a_time="slow")

    with (
        exclusive_run("slow"),
        pytest.raises(SandboxUnavailable, match="already running"),
    ):
        validate(one_at_a_time="slow")


@pytest.mark.usefixtures("_ample_time_for_code")
def test_a_key_is_usable_again_after_slow_code() -> None:
    _slow.add("slow before")

    assert validate(one_at_a_time="slow before") is True
    assert "slow before" not in _slow


@pytest.mark.usefixtures("_ample_time_for_code")
def test_only_one_call_with_the_same_key_runs_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("senders.sandbox.limits.MAX_WAIT_SECONDS", 0.01)
    entered, leave = Event(), Event()

    def hold() -> None:
        with exclusive_run("endpoint"):
            entered.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(60)
    try:
        with pytest.raises(SandboxUnavailable, match="already running"):
            validate(one_at_a_time="endpoint")
        assert validate(one_at_a_time="another") is True
        assert validate() is True
    finally:
        leave.set()
        holder.join()
    assert validate(one_at_a_time="endpoint") is True


def test_a_key_is_free_again_after_a_failure() -> None:
    for _ in range(2):
        with pytest.raises(SandboxRefused):
            run_validator(
                "def validate(): return 1/0",
                headers={},
                body={},
                config={},
                one_at_a_time="endpoint",
            )
