from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.embedded.process import wait_until
from local.supervisor import Service, Supervisor
from tests.config.processes import SLEEP, STUBBORN_FAMILY, is_gone, spawn_python


def _keep_waiting() -> bool:
    return False


class _Talk:
    """Collects the messages of a supervisor."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def talk() -> _Talk:
    return _Talk()


@pytest.fixture
def supervisor(talk: _Talk) -> Iterator[Supervisor]:
    supervisor = Supervisor(say=talk, first_delay_seconds=0.01)
    yield supervisor
    supervisor.stop(timeout_seconds=0, kill_now=_keep_waiting)


@pytest.fixture
def python_service(tmp_path: Path) -> Callable[..., Service]:
    def build(script: str = SLEEP, name: str = "one") -> Service:
        log = tmp_path / f"{name}.log"
        return Service(name=name, start=lambda: spawn_python(script, log=log))

    return build


def _grandchild(tmp_path: Path, name: str) -> int:
    log = tmp_path / f"{name}.log"
    assert wait_until(lambda: log.read_text().endswith("\n"), timeout_seconds=60)
    return int(log.read_text())


def test_a_killed_process_is_started_again(
    supervisor: Supervisor, talk: _Talk, python_service: Callable[..., Service]
) -> None:
    supervisor.start(python_service())
    first = supervisor.processes["one"]

    subprocess.run(["/bin/kill", "-9", str(first)], check=True)  # noqa: S603 (our own)
    assert wait_until(supervisor.check, timeout_seconds=60)
    assert supervisor.processes == {}
    assert wait_until(supervisor.check, timeout_seconds=60)

    second = supervisor.processes["one"]
    assert second != first
    assert talk.lines == [
        "one ended (SIGKILL); starting it again in 0.01 s",
        f"one runs again (process {second})",
    ]


def test_a_process_that_keeps_failing_is_started_less_and_less_often(
    supervisor: Supervisor, talk: _Talk, python_service: Callable[..., Service]
) -> None:
    supervisor.start(python_service("raise SystemExit(3)"))

    def has_failed_thrice() -> bool:
        supervisor.check()
        return len([line for line in talk.lines if "ended" in line]) == 3

    assert wait_until(has_failed_thrice, timeout_seconds=60)
    assert [line for line in talk.lines if "ended" in line] == [
        "one ended (exit code 3); starting it again in 0.01 s",
        "one ended (exit code 3); starting it again in 0.02 s",
        "one ended (exit code 3); starting it again in 0.04 s",
    ]


def test_a_start_that_fails_later_is_tried_again(
    supervisor: Supervisor, talk: _Talk, python_service: Callable[..., Service]
) -> None:
    starts = iter([python_service("").start, _refuse, python_service().start])
    supervisor.start(Service(name="one", start=lambda: next(starts)()))

    assert wait_until(
        lambda: supervisor.check() and len(talk.lines) == 3, timeout_seconds=60
    )
    assert (
        talk.lines[1]
        == "one could not be started (no disk); starting it again in 0.02 s"
    )


def _refuse() -> subprocess.Popen[bytes]:
    raise OSError("no disk")


def test_children_of_a_dead_process_are_killed_before_its_restart(
    supervisor: Supervisor, tmp_path: Path, python_service: Callable[..., Service]
) -> None:
    supervisor.start(python_service(STUBBORN_FAMILY))
    grandchild = _grandchild(tmp_path, "one")

    subprocess.run(  # noqa: S603 (our own process)
        ["/bin/kill", "-9", str(supervisor.processes["one"])], check=True
    )

    assert wait_until(supervisor.check, timeout_seconds=60)
    assert wait_until(lambda: is_gone(grandchild), timeout_seconds=60)


def test_stopping_sends_each_service_its_own_signal(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    log = tmp_path / "one.log"
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(print('interrupted')))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    supervisor.start(
        Service(
            name="one",
            start=lambda: spawn_python(script, log=log),
            stop_signal=signal.SIGINT,
        )
    )
    assert wait_until(lambda: "ready" in log.read_text(), timeout_seconds=60)

    supervisor.stop(timeout_seconds=10, kill_now=_keep_waiting)

    assert log.read_text() == "ready\ninterrupted\n"
    assert supervisor.processes == {}


@pytest.mark.parametrize(
    ("timeout_seconds", "kills_now"),
    [(0.2, False), (60, True)],
    ids=["late", "kill now"],
)
def test_a_service_that_does_not_end_is_killed_with_its_group(
    supervisor: Supervisor,
    tmp_path: Path,
    python_service: Callable[..., Service],
    timeout_seconds: float,
    kills_now: bool,
) -> None:
    supervisor.start(python_service(STUBBORN_FAMILY))
    family = [supervisor.processes["one"], _grandchild(tmp_path, "one")]

    supervisor.stop(timeout_seconds=timeout_seconds, kill_now=lambda: kills_now)

    assert wait_until(lambda: all(map(is_gone, family)), timeout_seconds=60)
