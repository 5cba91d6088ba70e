"""The processes of an installation by kind, and the way to kill one."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path

from tests.acceptance.installation import Installation
from tests.acceptance.waiting import wait_for
from tests.config.processes import is_gone

# The supervisor waits up to 30 s before it restarts a program that failed often.
_RETURN_SECONDS = 60

# The program of a kind, and whether one of its children is killed instead of itself.
KINDS = {
    "web master": ("web", False),
    "web worker": ("web", True),
    "worker master": ("worker", False),
    "worker child": ("worker", True),
    "slow worker": ("worker-slow", False),
    "agents worker": ("agents", False),
    "agents child": ("agents", True),
    "beat": ("beat", False),
    "flower": ("flower", False),
    "valkey": ("valkey", False),
    "database backend": ("postgres", True),
    "postmaster": ("postgres", False),
}
# The short form kills only these: a task of a killed agent is released after 20 s of
# missed heartbeats, and a web server or a worker takes seconds to start.
QUICK_TO_RECOVER = (
    "web worker", "worker child", "beat", "database backend", "postmaster",
)  # fmt: skip


def kill_one(kind: str, installation: Installation, chance: random.Random) -> int:
    """Send SIGKILL to a process of this kind as soon as there is one; return its id."""

    def kill() -> int:
        pids = _pids_of(kind, installation)
        if not pids:
            return 0
        pid = chance.choice(pids)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return 0
        return pid

    return wait_for(kill, timeout_seconds=_RETURN_SECONDS)


def kill_child(pid: int, chance: random.Random) -> None:
    """Send SIGKILL to one of the processes that a process has started."""
    if children := _children_of(pid):
        with suppress(ProcessLookupError):
            os.kill(chance.choice(children), signal.SIGKILL)


def _pids_of(kind: str, installation: Installation) -> list[int]:
    program, is_child = KINDS[kind]
    pid = installation.processes().get(program)
    if pid is None or is_gone(pid):
        return []
    if not is_child:
        return [pid]
    children = _children_of(pid)
    if program == "postgres":
        return [child for child in children if _serves_a_client(child)]
    return children


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(child for child in found if not is_gone(child))


def _serves_a_client(pid: int) -> bool:
    """Return whether a process of PostgreSQL is the backend of a connection."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return title.startswith(b"postgres: tickhook tickhook ")
