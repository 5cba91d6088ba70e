"""The order in which the stack comes up, stays up and goes down."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from local.demo import first_executions, settle_demo, wants_demo
from local.files import read_json, write_private_json
from local.guard import Guard
from local.keys import keep_keys
from local.options import ROOT, Options
from local.procfile import read_procfile
from local.report import executions_table, say, where_to_look
from local.services import (
    build_environment,
    embedded_servers_wanted,
    program_service,
)
from local.site import is_ready
from local.steps import StepFailedError, run_step, tail
from local.stopping import StopRequests
from local.supervisor import Supervisor
from local.troubles import Troubles, little_space

_READY_TIMEOUT_SECONDS = 90
_PROGRAMS_STOP_SECONDS = 6.0
_SERVERS_STOP_SECONDS = 3.0
_TICK_SECONDS = 0.2
_DISK_EVERY_SECONDS = 5.0


class Stack:
    """Embedded servers and programs under one roof."""

    def __init__(self, options: Options, *, requests: StopRequests, guard: Guard):
        self._options = options
        self._requests = requests
        self._guard = guard
        self._logs = options.data / "logs"
        self._servers = Supervisor(say=self._say_restart)
        self._programs = Supervisor(say=self._say_restart)
        self._troubles = Troubles(self._say_with_time)
        self._noted: dict[str, int] = {}
        self._disk_looked_at = -math.inf
        self._environment: dict[str, str] = {}

    def run(self) -> None:
        """Come up, and stay up until `StopRequested`; always end what was started."""
        try:
            self._start_servers()
            self._run_step("prepare", "-m", "local.prepare")
            self._start_programs()
            self._wait_until_ready()
            self._load_demo()
            self._welcome()
            while True:
                self._tick()
        finally:
            self._stop()

    def _start_servers(self) -> None:
        urls = {}
        for variable, server in embedded_servers_wanted(self._options).items():
            self._servers.start(server.service())
            say(f"Started {server.name} in {server.folder}.")
            self._requests.check()
            urls[variable] = server.url
        keys = keep_keys(self._options.data / "keys.json")
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
            self._note_processes()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
        while not is_ready(self._options.url):
            self._tick()
            if time.monotonic() > deadline:
                raise StepFailedError(
                    f"the site did not get ready:\n{tail(self._logs / 'web.log')}"
                )

    def _load_demo(self) -> None:
        if wants_demo(self._options):
            self._run_step(
                "demo", ROOT / "manage.py", "load_demo", "--url", self._options.url
            )
            token = read_json(self._options.data / "credentials.json")["api_token"]
            executions = first_executions(
                self._options.url, token=token, check=self._tick
            )
            say(executions_table(executions, logs=self._logs))
        with self._troubles.survive("Noting that the demo is settled"):
            settle_demo(self._options)

    def _welcome(self) -> None:
        credentials = read_json(self._options.data / "credentials.json")
        say(where_to_look(self._options, credentials))

    def _tick(self) -> None:
        """Look after everything once, then rest a little."""
        self._requests.check()
        with self._troubles.survive("Looking after the watchdog"):
            self._guard.check()
        with self._troubles.survive("Looking after the servers"):
            self._servers.tick()
        with self._troubles.survive("Looking after the programs"):
            self._programs.tick()
        self._note_processes()
        self._look_at_disk()
        time.sleep(_TICK_SECONDS)

    def _note_processes(self) -> None:
        """Hand what runs now to the watchdog and `stack.json`, if it changed.

        What fails is tried again at the next tick.
        """
        processes = {**self._servers.processes, **self._programs.processes}
        if processes == self._noted:
            return
        with self._troubles.survive("Noting the processes"):
            self._guard.watch(self._programs.processes.values())
            write_private_json(
                self._options.data / "stack.json",
                {
                    "database_url": self._environment["DATABASE_URL"],
                    "redis_url": self._environment["REDIS_URL"],
                    "processes": processes,
                },
            )
            self._noted = processes

    def _look_at_disk(self) -> None:
        if time.monotonic() - self._disk_looked_at < _DISK_EVERY_SECONDS:
            return
        self._disk_looked_at = time.monotonic()
        with self._troubles.survive("Looking at the disk"):
            self._troubles.note("The disk", little_space(self._options.data))

    def _say_restart(self, line: str) -> None:
        self._say_with_time(f"{line}  (logs: {self._logs})")

    def _say_with_time(self, line: str) -> None:
        say(f"{time.strftime('%H:%M:%S')}  {line}")

    def _stop(self) -> None:
        say("Stopping.")
        hurry = self._requests.in_a_hurry
        self._programs.stop(timeout_seconds=_PROGRAMS_STOP_SECONDS, hurry=hurry)
        with self._troubles.survive("Looking after the watchdog"):
            self._guard.watch([])
        self._servers.stop(timeout_seconds=_SERVERS_STOP_SECONDS, hurry=hurry)
        with self._troubles.survive("Deleting stack.json"):
            (self._options.data / "stack.json").unlink(missing_ok=True)
        say("Everything has ended.")
