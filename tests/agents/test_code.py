"""What the code of an agent may do to its process: take long, fork, leave."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from agents.models import Agent, AgentTask, TaskStatus
from agents.runner.code import run_code, time_limit


def make_task(*, seconds: float = 60) -> AgentTask:
    agent = Agent(name="shop")
    agent.task_timeout_seconds = seconds
    return AgentTask(agent=agent, metadata={})


def sleep_long(_: AgentTask) -> object:
    time.sleep(60)
    return None


def test_code_is_stopped_after_its_time() -> None:
    ended = run_code(sleep_long, make_task(seconds=0.05), has_limit=True)

    assert (ended.status, ended.error) == (TaskStatus.TIMEOUT, "Stopped after 0.05 s")


def test_code_whose_message_has_a_limit_gets_no_other() -> None:
    ended = run_code(
        lambda _: time.sleep(0.2), make_task(seconds=0.05), has_limit=False
    )

    assert ended.status == TaskStatus.SUCCEEDED


def test_a_limit_does_not_concern_what_follows() -> None:
    with time_limit(0.05):
        pass

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    time.sleep(0.1)
    signal.raise_signal(signal.SIGALRM)  # a late one raises nothing


def test_code_that_took_over_the_signal_does_not_disturb_the_next() -> None:
    def take_over(_: AgentTask) -> object:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        return None

    run_code(take_over, make_task(), has_limit=True)

    with pytest.raises(SoftTimeLimitExceeded), time_limit(0.05):
        time.sleep(60)


def fork_and_return(_: AgentTask) -> object:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return os.getpid()


def fork_and_raise(_: AgentTask) -> object:
    child = os.fork()
    if not child:
        raise RuntimeError
    os.waitpid(child, 0)
    return os.getpid()


@pytest.mark.parametrize("code", [fork_and_return, fork_and_raise])
def test_only_the_parent_of_a_fork_has_a_result(
    code: Callable[[AgentTask], object],
) -> None:
    ended = run_code(code, make_task(), has_limit=True)

    assert (ended.status, ended.result) == (TaskStatus.SUCCEEDED, str(os.getpid()))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
        (asyncio.CancelledError(), "CancelledError: "),
        (MemoryError("all"), "MemoryError: all"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_code_raises_fails_its_task(error: BaseException, text: str) -> None:
    def fail(_: AgentTask) -> object:
        raise error

    ended = run_code(fail, make_task(), has_limit=True)

    assert (ended.status, ended.error) == (TaskStatus.FAILED, text)


def test_the_signal_that_ends_a_process_is_not_the_codes_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billiard.common._should_have_exited", [True])

    def be_terminated(_: AgentTask) -> object:
        raise SystemExit(-15)

    with pytest.raises(SystemExit):
        run_code(be_terminated, make_task(), has_limit=True)
