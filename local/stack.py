"""The order in which the stack starts, is supervised and stops."""

from __future__ import annotations

import math
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from local.environment import (
    ROOT,
    Options,
    build_environment,
    describe_little_space,
    load_keys,
    read_json,
    write_private_json,
)
from local.programs import (
    StepFailedError,
    needed_servers,
    program_service,
    read_procfile,
    run_step,
    tail,
)
from local.report import (
    executions_table,
    is_ready,
    mark_demo_done,
    say,
    should_load_demo,
    wait_for_demo,
    where_to_look,
)
from local.supervisor import FailureReporter, Supervisor
from local.watchdog import Watchdog

_READY_TIMEOUT_SECONDS = 90
_PROGRAMS_STOP_SECONDS = 6.0
_SERVERS_STOP_SECONDS = 3.0
_CHECK_EVERY_SECONDS = 0.2
_CHECK_DISK_EVERY_SECONDS = 5.0


class StopRequested(Exception):
    """The stack was asked to stop."""


class StopRequests:
    """Counts signals that ask the stack to stop; they interrupt nothing."""

    def __init__(self) -> None:
        self._count = 0

    def listen(self) -> None:
        """Handle SIGINT and SIGTERM, and SIGHUP unless `nohup` ignores it.

        SIGINT is handled even if it is ignored: a script starts its background
        processes so, and `kill -INT` must still end them.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._count_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._count_signal)

    def check(self) -> None:
        """Raise StopRequested after the first request."""
        if self._count:
            raise StopRequested(StopRequested.__doc__)

    def is_repeated(self) -> bool:
        """Return whether there was more than one request."""
        return self._count > 1

    def _count_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1


class PortTakenError(RuntimeError):
    """Another program listens on a port that Tickhook was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An address to listen on, and the variable that sets its port."""

    variable: str
    host: str
    number: int


def refuse_taken_ports(ports: Iterable[Port]) -> None:
    """Raise PortTakenError for the first port that cannot be listened on."""
    for port in ports:
        family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
        try:
            with socket.socket(family) as listener:
                # A connection that was closed just now does not make a port taken.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((port.host, port.number))
                listener.listen(1)
        except OSError as error:
            raise PortTakenError(
                f"{port.variable}: cannot listen on {port.host}:{port.number} "
                f"({error.strerror}). Set {port.variable} to a free port."
            ) from error


class Stack:
    """Starts, supervises and stops the embedded servers and the programs."""

    def __init__(self, options: Options, *, requests: StopRequests, watchdog: Watchdog):
        self._options = options
        self._requests = requests
        self._watchdog = watchdog
        self._logs = options.data / "logs"
        self._servers = Supervisor(say=self._say_restart)
        self._programs = Supervisor(say=self._say_restart)
        self._failures = FailureReporter(self._say_with_time)
        self._recorded: dict[str, int] = {}
        self._disk_checked_at = -math.inf
        self._environment: dict[str, str] = {}

    def run(self) -> None:
        """Start everything and run until StopRequested; end everything in any case."""
        try:
            self._start_servers()
            self._run_step("prepare", "-m", "local.prepare")
            self._start_programs()
            self._wait_until_ready()
            self._load_demo()
            credentials = read_json(self._options.data / "credentials.json")
            say(where_to_look(self._options, credentials))
            while True:
                self._check_everything()
        finally:
            self._stop()

    def _start_servers(self) -> None:
        urls = {}
        for variable, server in needed_servers(self._options).items():
            self._servers.start(server.service())
            say(f"Started {server.name} in {server.folder}.")
            self._requests.check()
            urls[variable] = server.url
        keys = load_keys(self._options.data / "keys.json")
        self._environment = build_environment(self._options, keys, urls)

    def _run_step(self, name: str, *arguments: str | Path) -> None:
        run_step(
            [sys.executable, *arguments],
            log=self._logs / f"{name}.log",
            environment=self._environment,
            check=self._requests.check,
        )

    def _start_programs(self) -> None:
        say("Prepared the database. Starting the programs.")
        for program in read_procfile(ROOT / "Procfile", self._environment):
            service = program_service(
                program, logs=self._logs, environment=self._environment
            )
            self._programs.start(service)
            self._record_processes()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
        while not is_ready(self._options.url):
            self._check_everything()
            if time.monotonic() > deadline:
                raise StepFailedError(
                    f"the site did not get ready:\n{tail(self._logs / 'web.log')}"
                )

    def _load_demo(self) -> None:
        if should_load_demo(self._options):
            self._run_step(
                "demo", ROOT / "manage.py", "load_demo", "--url", self._options.url
            )
            token = read_json(self._options.data / "credentials.json")["api_token"]
            executions = wait_for_demo(
                self._options.url, token=token, check=self._check_everything
            )
            say(executions_table(executions, logs=self._logs))
        with self._failures.survive("Recording that the demo is done"):
            mark_demo_done(self._options)

    def _check_everything(self) -> None:
        """Check and repair everything once, then pause for a moment."""
        self._requests.check()
        with self._failures.survive("Checking the watchdog"):
            self._watchdog.check()
        with self._failures.survive("Checking the servers"):
            self._servers.check()
        with self._failures.survive("Checking the programs"):
            self._programs.check()
        self._record_processes()
        self._check_disk()
        time.sleep(_CHECK_EVERY_SECONDS)

    def _record_processes(self) -> None:
        """Write the processes to the watchdog and to `stack.json` after a change.

        If that fails, the next check tries it again.
        """
        processes = {**self._servers.processes, **self._programs.processes}
        if processes == self._recorded:
            return
        with self._failures.survive("Recording the processes"):
            self._watchdog.watch(self._programs.processes.values())
            write_private_json(
                self._options.data / "stack.json",
                {
                    "database_url": self._environment["DATABASE_URL"],
                    "redis_url": self._environment["REDIS_URL"],
                    "processes": processes,
                },
            )
            self._recorded = processes

    def _check_disk(self) -> None:
        if time.monotonic() - self._disk_checked_at < _CHECK_DISK_EVERY_SECONDS:
            return
        self._disk_checked_at = time.monotonic()
        with self._failures.survive("Checking the disk"):
            warning = describe_little_space(self._options.data)
            self._failures.report("The disk", warning)

    def _say_restart(self, line: str) -> None:
        self._say_with_time(f"{line}  (logs: {self._logs})")

    def _say_with_time(self, line: str) -> None:
        say(f"{time.strftime('%H:%M:%S')}  {line}")

    def _stop(self) -> None:
        say("Stopping.")
        kill_now = self._requests.is_repeated
        self._programs.stop(timeout_seconds=_PROGRAMS_STOP_SECONDS, kill_now=kill_now)
        with self._failures.survive("Checking the watchdog"):
            self._watchdog.watch([])
        self._servers.stop(timeout_seconds=_SERVERS_STOP_SECONDS, kill_now=kill_now)
        with self._failures.survive("Deleting stack.json"):
            (self._options.data / "stack.json").unlink(missing_ok=True)
        say("Everything has ended.")
