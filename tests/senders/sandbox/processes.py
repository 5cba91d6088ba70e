"""Finds and kills the interpreters of a process."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def workers_of(process_id: int) -> set[int]:
    """Return the ids of the interpreters that this process started."""
    tasks = Path(f"/proc/{process_id}/task").glob("*/children")
    children = {int(child) for task in tasks for child in task.read_text().split()}
    return {child for child in children if is_worker(child)}


def is_worker(process_id: int) -> bool:
    """Return whether this process is a living interpreter."""
    folder = Path(f"/proc/{process_id}")
    try:
        command = (folder / "cmdline").read_bytes()
        state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"monty" in command and b"subprocess" in command and state != "Z"


def kill_workers() -> set[int]:
    killed = workers_of(os.getpid())
    for process_id in killed:
        os.kill(process_id, signal.SIGKILL)
    return killed
