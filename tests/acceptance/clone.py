"""`make up` in a copy of the repository, as a new user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path

from local.embedded.folders import remove_server_folder
from local.embedded.process import kill_group, spawn
from local.environment import ROOT, read_json
from tests.acceptance.stack import free_port
from tests.acceptance.waiting import wait_for

_UP_TIMEOUT_SECONDS = 250
_DOWN_TIMEOUT_SECONDS = 60


class Clone:
    """A fresh clone of the repository with its packages installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder.with_suffix(".log")
        _copy_repository(folder)
        _borrow_packages(folder / ".venv")

    @contextmanager
    def up(self) -> Iterator[str]:
        """Run `make up` until it reports that it runs; yield its output so far."""
        process = spawn(
            ["make", "up"],
            folder=self.folder,
            log=self._log,
            environment=new_user_environment(),
            death_signal=signal.SIGTERM,
        )
        try:
            wait_for(
                lambda: self._has_printed("Tickhook is running.") or process.poll(),
                timeout_seconds=_UP_TIMEOUT_SECONDS,
            )
            yield self._log.read_text()
        finally:
            self._end(process)

    def processes(self) -> dict[str, int]:
        """Return the name and id of each process that `make up` keeps running."""
        stack = read_json(self.folder / ".data" / "stack.json")
        return dict(stack["processes"])

    def credentials(self) -> dict[str, str]:
        """Return the addresses, logins and tokens that `make up` stores."""
        return read_json(self.folder / ".data" / "credentials.json")

    def drop_from_procfile(self, *names: str) -> None:
        procfile = self.folder / "Procfile"
        lines = procfile.read_text().splitlines(keepends=True)
        kept = [line for line in lines if line.partition(":")[0] not in names]
        procfile.write_text("".join(kept))

    def _has_printed(self, line: str) -> bool:
        return line in self._log.read_text()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Send SIGINT, wait for all processes, and delete the servers' data folders."""
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(_DOWN_TIMEOUT_SECONDS)
        finally:
            kill_group(process)
            for server in ("postgres", "valkey"):
                remove_server_folder(self.folder / ".data" / server)


def _copy_repository(folder: Path) -> None:
    """Copy the files that git knows, including changes that are not committed.

    Compiled modules are copied, too, which saves seconds at the start of each program.
    """
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - no shell
    names = listed.stdout.decode().split("\0")
    compiled = [cache_from_source(name) for name in names if name.endswith(".py")]
    for name in [*names, *compiled]:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _borrow_packages(venv: Path) -> None:
    """Make a virtual environment from the packages that run this test."""
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    (venv / ".installed").touch()


def new_user_environment() -> dict[str, str]:
    """Return an environment in which only free ports are set."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ports = {name: str(free_port()) for name in ("TICKHOOK_PORT", "FLOWER_PORT")}
    return {**kept, **ports}
