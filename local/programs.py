"""The programs of the stack: the Procfile, the embedded servers and the start steps."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from local.embedded import Server, start_postgres, start_valkey
from local.embedded.process import kill_group, spawn
from local.environment import ROOT, Options
from local.supervisor import Service

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")
_SHOWN_LINES = 15


class ProcfileError(ValueError):
    """A line of the Procfile cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One line: a name and the words of its command."""

    name: str
    command: tuple[str, ...]


class _Command(Template):
    braceidpattern = r"[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?"


class _Values(dict[str, str]):
    """Variables by `NAME` or `NAME:-default`.

    As in a shell, the default also replaces a value that is set but empty.
    """

    def __getitem__(self, key: str) -> str:
        name, has_default, default = key.partition(":-")
        if has_default:
            return self.get(name) or default
        return super().__getitem__(name)


def read_procfile(path: Path, environment: Mapping[str, str]) -> list[Program]:
    """Return the programs in their order, filled from `environment`.

    A command may name variables as `${NAME}`, or as `${NAME:-default}`. No shell reads
    it.
    """
    programs = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            programs.append(_read_line(line.strip(), number, environment))
    return programs


def _read_line(line: str, number: int, environment: Mapping[str, str]) -> Program:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ProcfileError(f"Procfile, line {number}: not of the form `name: command`")
    try:
        command = _Command(found["command"]).substitute(_Values(environment))
        words = shlex.split(command)
    except KeyError as missing:
        raise ProcfileError(
            f"Procfile, line {number}: {missing.args[0]} is not set"
        ) from missing
    except ValueError as error:
        raise ProcfileError(f"Procfile, line {number}: {error}") from error
    return Program(name=found["name"], command=tuple(words))


def program_service(
    program: Program, *, logs: Path, environment: Mapping[str, str]
) -> Service:
    """Return a line of the Procfile as a service."""

    def start() -> subprocess.Popen[bytes]:
        return spawn(
            program.command,
            folder=ROOT,
            log=logs / f"{program.name}.log",
            environment=environment,
            death_signal=signal.SIGTERM,
        )

    return Service(name=program.name, start=start)


class ServerProgram:
    """An embedded server as a service; its URL is known once it has started."""

    def __init__(self, start: Callable[[Path], Server], data_dir: Path) -> None:
        self._start = start
        self._data_dir = data_dir
        self.name = data_dir.name
        self.url = ""
        self._server: Server | None = None

    @property
    def folder(self) -> Path:
        """The folder of the data, which can be another one than `data_dir`."""
        return self._data_dir.resolve()

    def service(self) -> Service:
        return Service(
            name=self.name,
            start=self._start_process,
            # SIGINT is a fast, but clean, shutdown of both PostgreSQL and Valkey.
            stop_signal=signal.SIGINT,
            is_stopping=lambda: self._server is not None and self._server.is_stopping(),
        )

    def _start_process(self) -> subprocess.Popen[bytes]:
        self._server = self._start(self._data_dir)
        self.url = self._server.url
        return self._server.process


def needed_servers(options: Options) -> dict[str, ServerProgram]:
    """Return an embedded server for each URL that the environment does not name."""
    needed = {}
    if options.redis_url is None:
        needed["REDIS_URL"] = ServerProgram(start_valkey, options.data / "valkey")
    if options.database_url is None:
        postgres = ServerProgram(start_postgres, options.data / "postgres")
        needed["DATABASE_URL"] = postgres
    return needed


class StepFailedError(RuntimeError):
    """A step of the start failed; the message ends with the last lines of its log."""


def run_step(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    check: Callable[[], None],
) -> None:
    """Run a program until it ends; an exception from `check` kills it.

    Raise StepFailedError if the program fails.
    """
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
    """Return the last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_SHOWN_LINES:]) or f"({log} is empty. Is the disk full?)"
