from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import stack as module
from local.embedded.process import wait_until
from local.environment import Options, make_data_folder, read_json
from local.stack import Port, PortTakenError, Stack, StopRequests, refuse_taken_ports
from local.supervisor import Service, Supervisor
from local.watchdog import Watchdog
from tests.config.processes import SLEEP, spawn_python

GOES_ON = "Tickhook continues and tries again."


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
    with Watchdog(lock) as watchdog:
        made = Stack(options, requests=StopRequests(), watchdog=watchdog)
        made._environment = {
            "DATABASE_URL": "postgresql:///x",
            "REDIS_URL": "redis://x",
        }
        made._programs = Supervisor(say=said.append, first_delay_seconds=0.01)
        log = data / "one.log"
        made._programs.start(
            Service(name="one", start=lambda: spawn_python(SLEEP, log=log))
        )
        made._check_everything()
        yield made
        made._stop()
    os.close(lock)


@pytest.fixture
def unwritable(tmp_path: Path) -> Callable[[bool], None]:
    """Make `stack.json` unwritable, also for root, and writable again."""
    blocked = tmp_path / "data" / "stack.json.partial"
    return lambda is_blocked: blocked.mkdir() if is_blocked else blocked.rmdir()


def noted(tmp_path: Path) -> dict[str, int]:
    return dict(read_json(tmp_path / "data" / "stack.json")["processes"])


def test_a_stack_that_cannot_write_its_files_goes_on_and_writes_later(
    stack: Stack, said: list[str], tmp_path: Path, unwritable: Callable[[bool], None]
) -> None:
    [first] = noted(tmp_path).values()
    unwritable(True)
    os.kill(first, signal.SIGKILL)

    assert wait_until(lambda: has_replaced(stack, first), timeout_seconds=60)
    assert noted(tmp_path) == {"one": first}
    failures = [line for line in said if "Recording the processes" in line]
    assert len(failures) == 1
    assert "stack.json" in failures[0]

    unwritable(False)
    stack._check_everything()

    assert noted(tmp_path) == stack._programs.processes
    assert said[-1].endswith("Recording the processes works again.")


def has_replaced(stack: Stack, old: int) -> bool:
    stack._check_everything()
    return set(stack._programs.processes.values()) - {old} != set()


def test_a_watchdog_that_cannot_be_started_does_not_end_the_stack(
    stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(stack._watchdog, "check", fail)
        stack._check_everything()
        stack._check_everything()
    stack._check_everything()

    assert [line.partition("  ")[2] for line in said][-2:] == [
        f"Checking the watchdog failed: Too many open files. {GOES_ON}",
        "Checking the watchdog works again.",
    ]


def test_an_almost_full_disk_is_reported_once(
    stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHECK_DISK_EVERY_SECONDS", 0)
    monkeypatch.setattr(module, "describe_little_space", lambda _: "The disk is full.")

    stack._check_everything()
    stack._check_everything()

    assert len([line for line in said if "The disk is full." in line]) == 1


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _port(listener: socket.socket, variable: str) -> Port:
    return Port(variable=variable, host="127.0.0.1", number=listener.getsockname()[1])


def test_the_error_for_a_taken_port_names_the_variable(
    listener: socket.socket,
) -> None:
    port = _port(listener, "FLOWER_PORT")

    with pytest.raises(PortTakenError) as refusal:
        refuse_taken_ports([port])

    assert str(refusal.value) == (
        f"FLOWER_PORT: cannot listen on 127.0.0.1:{port.number} "
        "(Address already in use). Set FLOWER_PORT to a free port."
    )


def test_a_port_is_free_again_once_its_listener_closed(
    listener: socket.socket,
) -> None:
    port = _port(listener, "TICKHOOK_PORT")
    client = socket.create_connection(("127.0.0.1", port.number))
    accepted, _ = listener.accept()
    for end in (accepted, client, listener):
        end.close()

    refuse_taken_ports([port])
