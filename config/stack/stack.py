"""The order in which the stack comes up, stays up and goes down."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from config.stack.demo import first_executions, settle_demo, wants_demo
from config.stack.files import read_json, write_private_json
from config.stack.guard import Guard
from config.stack.keys import keep_keys
from config.stack.options import ROOT, Options
from config.stack.procfile import read_procfile
from config.stack.report import executions_table, say, where_to_look
from config.stack.services import (
    build_environment,
    embedded_servers_wanted,
    program_service,
)
from config.stack.site import is_ready
from config.stack.steps import StepFailedError, run_step, tail
from config.stack.stopping import StopRequests
from config.stack.supervisor import Supervisor

_READY_TIMEOUT_SECONDS = 90
_PROGRAMS_STOP_SECONDS = 6.0
_SERVERS_STOP_SECONDS = 3.0
_TICK_SECONDS = 0.2


class Stack:
    """Embedded servers and programs under one roof."""

    def __init__(self, options: Options, *, requests: StopRequests, guard: Guard):
        self._options = options
        self._requests = requests
        self._guard = guard
        self._logs = options.data / "logs"
        self._servers = Supervisor(say=self._say_restart)
        self._programs = Supervisor(say=self._say_restart)
        self._environment: dict[str, str] = {}

    def run(self) -> None:
        """Come up, and stay up until `StopRequested`; always end what was started."""
        try:
            self._start_servers()
            self._run_step("prepare", "-m", "config.stack.prepare")
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
        settle_demo(self._options)

    def _welcome(self) -> None:
        credentials = read_json(self._options.data / "credentials.json")
        say(where_to_look(self._options, credentials))

    def _tick(self) -> None:
        """Look after everything once, then rest a little."""
        self._requests.check()
        self._guard.check()
        changed = [self._servers.tick(), self._programs.tick()]
        if any(changed):
            self._note_processes()
        time.sleep(_TICK_SECONDS)

    def _note_processes(self) -> None:
        """Tell the watchdog and `stack.json` what runs now."""
        self._guard.watch(self._programs.processes.values())
        write_private_json(
            self._options.data / "stack.json",
            {
                "database_url": self._environment["DATABASE_URL"],
                "redis_url": self._environment["REDIS_URL"],
                "processes": {**self._servers.processes, **self._programs.processes},
            },
        )

    def _say_restart(self, line: str) -> None:
        say(f"{time.strftime('%H:%M:%S')}  {line}  (logs: {self._logs})")

    def _stop(self) -> None:
        say("Stopping.")
        hurry = self._requests.in_a_hurry
        self._programs.stop(timeout_seconds=_PROGRAMS_STOP_SECONDS, hurry=hurry)
        self._guard.watch([])
        self._servers.stop(timeout_seconds=_SERVERS_STOP_SECONDS, hurry=hurry)
        (self._options.data / "stack.json").unlink(missing_ok=True)
        say("Everything has ended.")
