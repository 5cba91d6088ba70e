"""Programs that run to their end while the stack starts."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.embedded.process import kill_group, spawn
from local.options import ROOT

_SHOWN_LINES = 15


class StepFailedError(RuntimeError):
    """A part of the start did not work; the message ends with what its log says."""


def run_step(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    check: Callable[[], None],
) -> None:
    """Run a program to its end; `check` may raise to give up, which kills it."""
    process = spawn(
        command,
        folder=ROOT,
        log=log,
        environment=environment,
        death_signal=signal.SIGKILL,
    )
    try:
        while process.poll() is None:
            check()
            time.sleep(0.05)
    finally:
        kill_group(process)
    if process.returncode:
        raise StepFailedError(f"{log.stem} failed:\n{tail(log)}")


def tail(log: Path) -> str:
    """Return the last lines of a log, for a person to read."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_SHOWN_LINES:]) or f"({log} is empty. Is the disk full?)"
