from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.embedded.process import kill_group, wait_until
from local.environment import ROOT
from local.watchdog import Watchdog
from tests.config.processes import STUBBORN_FAMILY, is_gone, spawn_python

# Acts as a stack: watches a group, prints a line, and waits for SIGKILL.
_WATCHING = (
    "import os, sys, time\n"
    "from local.watchdog import Watchdog\n"
    "watchdog = Watchdog(os.open(os.devnull, os.O_RDONLY))\n"
    "watchdog.watch([int(sys.argv[1])])\n"
    "print('watching', flush=True)\n"
    "time.sleep(600)\n"
)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program with a child, both of which ignore SIGTERM."""
    log = tmp_path / "family.log"
    process = spawn_python(STUBBORN_FAMILY, log=log)
    assert wait_until(lambda: log.read_text().endswith("\n"), timeout_seconds=60)
    yield process
    kill_group(process)


def _grandchild(tmp_path: Path) -> int:
    return int((tmp_path / "family.log").read_text())


def test_groups_end_when_their_stack_is_killed(
    family: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    stack = subprocess.Popen(  # noqa: S603 (this Python, a script of ours)
        [sys.executable, "-c", _WATCHING, str(family.pid)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert stack.stdout is not None
    with stack.stdout as output:
        assert output.readline() == b"watching\n"

    stack.kill()
    stack.wait()

    grandchild = _grandchild(tmp_path)
    assert wait_until(lambda: is_gone(grandchild), timeout_seconds=60)
    assert family.wait(timeout=60) == -9


def test_a_killed_watchdog_is_replaced_with_the_same_groups(
    family: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)

    with Watchdog(lock) as watchdog:
        watchdog.watch([family.pid])
        watchdog._process.kill()
        watchdog._process.wait()
        watchdog.check()

    os.close(lock)
    assert family.wait(timeout=60) == -9
