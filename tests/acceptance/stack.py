"""Tickhook's programs, started as in the Procfile; tests stop, freeze and kill them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count, cycle
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psycopg
import redis

from local.embedded.folders import remove_server_folder
from local.embedded.process import kill_group, spawn
from local.embedded.servers import start_valkey
from local.environment import ROOT
from local.programs import read_procfile
from local.report import is_ready
from local.watchdog import Watchdog
from tests.acceptance.databases import (
    copied_database,
    migrated_template,
    program_environment,
    reached_by_programs,
)
from tests.acceptance.waiting import wait_for

_READY_TIMEOUT_SECONDS = 120
_STOP_TIMEOUT_SECONDS = 60
# The lines that Celery's programs log at this level once they are ready.
_LOG_OPTIONS = ("--loglevel", "INFO")
_READY_LINES = {
    "worker": " ready.",
    "worker-slow": " ready.",
    "agents": " ready.",
    "beat": "beat: Starting",
}
_SHOWN_CHARACTERS = 6000
# The application of the shared stack's web server.
PATIENT_WEB = "tests.acceptance.patient_app:application"


class Stack:
    """Programs by their names in the Procfile, with a database and a Valkey.

    A program can run several times: `beat`, `beat:2`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str,
        programs_url: str,
        api_token: str,
        guard: Watchdog,
    ) -> None:
        self.api_token = api_token
        self.logs = folder / "logs"
        self.database = psycopg.connect(database_url, autocommit=True)
        self._broker_data = folder / "valkey"
        self._broker = start_valkey(self._broker_data)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = count(1)
        self._guard = guard
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = program_environment(
            DATABASE_URL=programs_url,
            REDIS_URL=self._broker.url,
            PUBLIC_URL=self.url,
            TICKHOOK_HOST="127.0.0.1",
            TICKHOOK_PORT=str(port),
            FLOWER_PORT="0",
        )

    def start(self, *names: str, app: str = "config") -> None:
        """Start programs and wait until all are ready.

        `app` is the Celery app, or the application that the web server serves.
        """
        logs = {name: self._spawn(name, app) for name in names}
        for name, log in logs.items():
            self._wait_until_ready(name, log)

    def stop(self, *names: str) -> None:
        """Send SIGTERM to programs and wait until they have ended."""
        for name in names:
            self._running[name].send_signal(signal.SIGTERM)
        for name in names:
            self._running[name].wait(_STOP_TIMEOUT_SECONDS)
            self.kill(name)

    def kill(self, *names: str) -> None:
        """Kill programs with all their processes; they cannot clean up."""
        for name in names:
            kill_group(self._running.pop(name))
        self._update_guard()

    def freeze(self, *names: str) -> None:
        """Send SIGSTOP to programs; they stop until they are thawed or killed."""
        for name in names:
            os.killpg(self._running[name].pid, signal.SIGSTOP)

    def thaw(self, *names: str) -> None:
        for name in names:
            os.killpg(self._running[name].pid, signal.SIGCONT)

    def lose_broker(self) -> None:
        """Kill Valkey and delete its data."""
        self._broker.kill()
        shutil.rmtree(self._broker_data / "appendonlydir")

    def start_broker(self) -> None:
        self._broker = start_valkey(self._broker_data)

    def pid_of(self, name: str) -> int:
        return self._running[name].pid

    @property
    def broker_socket(self) -> str:
        return urlsplit(self._broker.url).path

    def reach_broker_by(self, url: str) -> None:
        """Set the broker's URL of programs that are started from now on."""
        self.environment["REDIS_URL"] = url

    def wait_for_end(self, name: str, *, timeout_seconds: float) -> int:
        """Wait until a program ends by itself; return its exit code."""
        process = self._running[name]
        wait_for(lambda: process.poll() is not None, timeout_seconds=timeout_seconds)
        self.kill(name)
        return process.returncode

    def broker_client(self) -> redis.Redis:
        return redis.Redis.from_url(self._broker.url, decode_responses=True)

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        return self.database.execute(query, values).fetchall()

    def number(self, query: LiteralString, *values: object) -> int:
        """Return the single number that a query selects."""
        return int(self.rows(query, *values)[0][0])

    def count_sessions(self, name: str) -> int:
        """Return how many sessions of a program PostgreSQL has, even if killed."""
        return self.number(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s "
            "AND datname = current_database()",
            name,
        )

    def log_tails(self) -> Iterator[tuple[str, str]]:
        """Return the end of each log, for the report of a failed test."""
        for log in sorted(self.logs.glob("*.log")):
            yield log.name, log.read_text(errors="replace")[-_SHOWN_CHARACTERS:]

    def close(self) -> None:
        """End all processes and delete all data but the logs."""
        self.kill(*self._running)
        self._broker.kill()
        remove_server_folder(self._broker_data)
        self.database.close()

    def _spawn(self, name: str, app: str) -> Path:
        log = self.logs / f"{name}-{next(self._starts)}.log"
        self._running[name] = spawn(
            self._command(name, app),
            folder=ROOT,
            log=log,
            environment={**self.environment, "PGAPPNAME": name},
            death_signal=signal.SIGTERM,
        )
        self._update_guard()
        return log

    def _update_guard(self) -> None:
        """Update the process groups that the guard kills if this process is killed."""
        self._guard.watch(process.pid for process in self._running.values())

    def _command(self, name: str, app: str) -> list[str]:
        procfile = read_procfile(ROOT / "Procfile", self.environment)
        [program] = [p for p in procfile if p.name == _program(name)]
        if name == "web":
            *words, served = program.command
            return [*words, served if app == "config" else app]
        if name == "flower":
            return list(program.command)
        words = [app if word == "config" else word for word in program.command]
        return [*words, *_LOG_OPTIONS]

    def _wait_until_ready(self, name: str, log: Path) -> None:
        wait_for(
            lambda: self._is_ready(name, log), timeout_seconds=_READY_TIMEOUT_SECONDS
        )

    def _is_ready(self, name: str, log: Path) -> bool:
        assert self._running[name].poll() is None, f"{name} ended"
        if name == "web":
            return is_ready(self.url)
        if name == "flower":
            return "Visit me at" in log.read_text(errors="replace")
        return _READY_LINES[_program(name)] in log.read_text(errors="replace")


def _program(name: str) -> str:
    return name.partition(":")[0]


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Yield a stack without running programs; close it at the end."""
    template = migrated_template()
    with ExitStack() as cleanup:
        database_url = cleanup.enter_context(copied_database())
        programs_url = cleanup.enter_context(reached_by_programs(database_url, folder))
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        cleanup.callback(os.close, lock)
        stack = Stack(
            folder,
            database_url=database_url,
            programs_url=programs_url,
            api_token=template.api_token,
            guard=cleanup.enter_context(Watchdog(lock)),
        )
        cleanup.callback(stack.close)
        yield stack


def free_port() -> int:
    """Return a TCP port that is free now and that nothing else will take.

    The kernel gives higher ports to outgoing connections. Each worker of pytest-xdist
    has ports of its own, and takes them in turn.
    """
    while True:
        with socket.socket() as listener, suppress(OSError):
            port = next(_ports)
            listener.bind(("127.0.0.1", port))
            return port


def _own_ports() -> Iterator[int]:
    """Yield this worker's ports again and again, from a random one on."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 10_000 + worker % 16 * 1000
    start = random.SystemRandom().randrange(1000)
    return cycle(first + (start + number) % 1000 for number in range(1000))


_ports = _own_ports()
