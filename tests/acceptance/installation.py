"""`make up` with a data folder of its own: all programs under the real supervisor."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from local.embedded.folders import remove_server_folder
from local.embedded.process import kill_group, spawn
from local.environment import ROOT, read_json
from tests.acceptance.stack import free_port
from tests.acceptance.waiting import wait_for

_UP_TIMEOUT_SECONDS = 250
_DOWN_TIMEOUT_SECONDS = 60
_SHOWN_CHARACTERS = 6000


class Installation:
    """A running installation, described by the files in its data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        credentials = read_json(data / "credentials.json")
        self.url: str = credentials["url"]
        self.api_token: str = credentials["api_token"]
        stack = read_json(data / "stack.json")
        self.redis_url: str = stack["redis_url"]
        self._database_url: str = stack["database_url"]

    def processes(self) -> dict[str, int]:
        """Return the name and id of each process that the supervisor keeps running."""
        return dict(read_json(self._data / "stack.json")["processes"])

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Query on a new connection, because the server may have been restarted."""
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def number(self, query: LiteralString, *values: object) -> int:
        return int(self.rows(query, *values)[0][0])

    def log_tails(self) -> Iterator[tuple[str, str]]:
        for log in [self._data.with_suffix(".log"), *self._data.glob("logs/*.log")]:
            yield log.name, log.read_text(errors="replace")[-_SHOWN_CHARACTERS:]


@contextmanager
def running_installation(data: Path) -> Iterator[Installation]:
    """Start everything without the demo; end all processes afterwards."""
    log = data.with_suffix(".log")
    process = spawn(
        [sys.executable, "-m", "local", "up", "--end-with-parent"],
        folder=ROOT,
        log=log,
        environment=_environment(data),
        death_signal=signal.SIGTERM,
    )
    try:
        wait_for(
            lambda: "Tickhook is running." in log.read_text() or process.poll(),
            timeout_seconds=_UP_TIMEOUT_SECONDS,
        )
        assert process.poll() is None, log.read_text()
        yield Installation(data)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_DOWN_TIMEOUT_SECONDS)
        finally:
            kill_group(process)
            for server in ("postgres", "valkey"):
                remove_server_folder(data / server)


def _environment(data: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ports = {name: str(free_port()) for name in ("TICKHOOK_PORT", "FLOWER_PORT")}
    return {**kept, **ports, "TICKHOOK_DATA": str(data), "TICKHOOK_DEMO": "0"}
