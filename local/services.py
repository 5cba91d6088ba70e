"""The stack's processes as services: the embedded servers and the Procfile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from local.embedded import Server, start_postgres, start_valkey
from local.embedded.process import spawn
from local.keys import Keys
from local.options import ROOT, Options
from local.procfile import Program
from local.supervisor import Service


class EmbeddedServer:
    """An embedded server as a service; its URL is known once it has started."""

    def __init__(self, start: Callable[[Path], Server], data_dir: Path) -> None:
        self._start = start
        self._data_dir = data_dir
        self.name = data_dir.name
        self.url = ""
        self._server: Server | None = None

    @property
    def folder(self) -> Path:
        """Where the data really lies, if it had to be put elsewhere."""
        return self._data_dir.resolve()

    def service(self) -> Service:
        return Service(
            name=self.name,
            start=self._start_process,
            # Fast, but clean, shutdown of PostgreSQL; Valkey knows it as well.
            stop_signal=signal.SIGINT,
            is_stopping=self._is_stopping,
        )

    def _start_process(self) -> subprocess.Popen[bytes]:
        self._server = self._start(self._data_dir)
        self.url = self._server.url
        return self._server.process

    def _is_stopping(self) -> bool:
        return self._server is not None and self._server.is_stopping()


def embedded_servers_wanted(options: Options) -> dict[str, EmbeddedServer]:
    """Return a server for each URL that the environment does not name."""
    wanted = {}
    if options.redis_url is None:
        wanted["REDIS_URL"] = EmbeddedServer(start_valkey, options.data / "valkey")
    if options.database_url is None:
        postgres = EmbeddedServer(start_postgres, options.data / "postgres")
        wanted["DATABASE_URL"] = postgres
    return wanted


def build_environment(
    options: Options, keys: Keys, urls: Mapping[str, str]
) -> dict[str, str]:
    """Return what every program sees; what the operator set is left as it is."""
    made = {
        "SECRET_KEY": keys.secret_key,
        "FIELD_ENCRYPTION_KEYS": keys.field_encryption_keys,
        "PUBLIC_URL": options.url,
        "TICKHOOK_HOST": options.host,
        "TICKHOOK_PORT": str(options.port),
        "FLOWER_PORT": str(options.flower_port),
        "FLOWER_BASIC_AUTH": keys.flower_login,
        "TICKHOOK_DATA": str(options.data),
        "PYTHONUNBUFFERED": "1",
        **urls,
    }
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    unset = {name: made[name] for name in made if not os.environ.get(name)}
    return {**os.environ, **unset, "PATH": programs}


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
