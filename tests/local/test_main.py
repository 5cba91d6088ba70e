from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from local.environment import ROOT, stack_lock


def _up(data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", "up"],
        cwd=ROOT,
        env={**os.environ, "TICKHOOK_DATA": str(data), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_ends_the_start_before_any_server_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outcome = _up(tmp_path / "data", TICKHOOK_PORT=str(port))

    assert outcome.returncode == 1
    assert outcome.stderr == (
        f"Tickhook cannot run: TICKHOOK_PORT: cannot listen on 127.0.0.1:{port} "
        "(Address already in use). Set TICKHOOK_PORT to a free port.\n"
    )
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["stack.lock"]


def test_a_second_start_says_that_the_first_one_runs(tmp_path: Path) -> None:
    with stack_lock(tmp_path):
        outcome = _up(tmp_path)

    assert outcome.returncode == 1
    assert outcome.stderr == (
        f"Tickhook cannot run: Tickhook is already running on {tmp_path}: "
        f"still starting (process {os.getpid()})\n"
    )


def test_the_error_for_a_bad_value_names_the_variable(tmp_path: Path) -> None:
    outcome = _up(tmp_path / "data", FLOWER_PORT="many")

    assert outcome.returncode == 1
    assert outcome.stderr.startswith("Tickhook cannot run: ")
    assert "FLOWER_PORT" in outcome.stderr
