"""Small processes to start, watch and kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from local.embedded.process import spawn

SLEEP = "import time; time.sleep(600)"
# A program whose child ignores SIGTERM, as a busy worker does.
STUBBORN_FAMILY = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


def spawn_python(script: str, *, log: Path) -> subprocess.Popen[bytes]:
    """Start this Python on a script, as the stack starts its programs."""
    return spawn(
        [sys.executable, "-S", "-c", script],
        folder=log.parent,
        log=log,
        environment={},
        death_signal=signal.SIGTERM,
    )


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie counts as ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rsplit(")", 1)[1].split()[0] == "Z"
