from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import stack as module
from local.embedded.process import wait_until
from local.files import make_data_folder, read_json
from local.guard import Guard
from local.options import Options
from local.stack import Stack
from local.stopping import StopRequests
from local.supervisor import Service, Supervisor
from tests.config.processes import SLEEP, spawn_python

GOES_ON = "Tickhook goes on and tries again."


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(module, "say", lines.append)
    return lines


@pytest.fixture
def stack(tmp_path: Path, said: list[str]) -> Iterator[Stack]:
    """A stack that runs one small program, up to its main loop."""
    data = tmp_path / "data"
    make_data_folder(data)
    options = Options(
        host="127.0.0.1",
        port=1,
        flower_port=2,
        data=data,
        demo=False,
        database_url="postgresql:///x",
        redis_url="redis://x",
    )
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    with Guard(lock) as guard:
        made = Stack(options, requests=StopRequests(), guard=guard)
        made._environment = {
            "DATABASE_URL": "postgresql:///x",
            "REDIS_URL": "redis://x",
        }
        made._programs = Supervisor(say=said.append, first_delay_seconds=0.01)
        log = data / "one.log"
        made._programs.start(
            Service(name="one", start=lambda: spawn_python(SLEEP, log=log))
        )
        made._tick()
        yield made
        made._stop()
    os.close(lock)


@pytest.fixture
def unwritable(tmp_path: Path) -> Callable[[bool], None]:
    """Make `stack.json` impossible to write, for root too, and possible again."""
    blocked = tmp_path / "data" / "stack.json.partial"
    return lambda is_blocked: blocked.mkdir() if is_blocked else blocked.rmdir()


def noted(tmp_path: Path) -> dict[str, int]:
    return dict(read_json(tmp_path / "data" / "stack.json")["processes"])


def test_a_stack_that_cannot_write_its_notes_goes_on_and_notes_later(
    stack: Stack, said: list[str], tmp_path: Path, unwritable: Callable[[bool], None]
) -> None:
    [first] = noted(tmp_path).values()
    unwritable(True)
    os.kill(first, signal.SIGKILL)

    assert wait_until(lambda: has_replaced(stack, first), timeout_seconds=60)
    assert noted(tmp_path) == {"one": first}
    troubles = [line for line in said if "Noting the processes" in line]
    assert len(troubles) == 1
    assert "stack.json" in troubles[0]

    unwritable(False)
    stack._tick()

    assert noted(tmp_path) == stack._programs.processes
    assert said[-1].endswith("Noting the processes works again.")


def has_replaced(stack: Stack, old: int) -> bool:
    stack._tick()
    return set(stack._programs.processes.values()) - {old} != set()


def test_a_watchdog_that_cannot_be_started_does_not_end_the_stack(
    stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(stack._guard, "check", fail)
        stack._tick()
        stack._tick()
    stack._tick()

    assert [line.partition("  ")[2] for line in said][-2:] == [
        f"Looking after the watchdog failed: Too many open files. {GOES_ON}",
        "Looking after the watchdog works again.",
    ]


def test_an_almost_full_disk_is_said_once(
    stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_DISK_EVERY_SECONDS", 0)
    monkeypatch.setattr(module, "little_space", lambda _: "The disk is full.")

    stack._tick()
    stack._tick()

    assert len([line for line in said if "The disk is full." in line]) == 1
