"""The real programs that the benchmarks measure, with servers of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import psycopg
from cryptography.fernet import Fernet
from django.core.management import call_command
from psycopg import sql

from local.embedded import EmbeddedServers, embedded_servers
from local.embedded.folders import remove_server_folder
from local.embedded.process import kill_group, spawn, wait_until
from local.programs import read_procfile

ROOT = Path(__file__).resolve().parent.parent
LIMITS = ("ADDRESS", "FORGERY", "ENDPOINT", "GLOBAL")
PROGRAMS = Path(sys.executable).parent


class ProgramFailed(RuntimeError):
    """A program ended or did not become ready; its log is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServer:
    port: int
    pid: int


@contextmanager
def benchmark_servers(*, preload: str = "") -> Iterator[EmbeddedServers]:
    """Run PostgreSQL, as durable as in production, and Valkey; connect Django to them.

    PostgreSQL preloads the library `preload`. Their data are deleted at the end.
    """
    with ExitStack() as cleanup:
        made = tempfile.TemporaryDirectory(prefix="tickhook-bench-")
        folder = Path(cleanup.enter_context(made))
        for name in ("postgres", "valkey"):
            cleanup.callback(remove_server_folder, folder / name)
        if preload:
            with (
                embedded_servers(folder) as first,
                psycopg.connect(first.database_url, autocommit=True) as session,
            ):
                setting = sql.Literal(preload)
                session.execute(
                    sql.SQL("ALTER SYSTEM SET shared_preload_libraries = {}").format(
                        setting
                    )
                )
        servers = cleanup.enter_context(embedded_servers(folder))
        _point_at(servers, folder)
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        yield servers


@contextmanager
def web_server() -> Iterator[WebServer]:
    """Run granian with few options, on a free port, until the context ends."""
    port = _free_port()
    options = ("--interface", "asginl", "--no-ws", "--workers", "2")
    address = ("--host", "127.0.0.1", "--port", str(port))
    words = ["granian", *options, *address, "config.asgi:application"]
    with _web(words, port) as web:
        yield web


@contextmanager
def shipped_web_server() -> Iterator[WebServer]:
    """Run the web server of the Procfile, on a free port, until the context ends."""
    port = _free_port()
    values = {"TICKHOOK_HOST": "127.0.0.1", "TICKHOOK_PORT": str(port)}
    programs = read_procfile(ROOT / "Procfile", {"FLOWER_PORT": "0", **values})
    [words] = [program.command for program in programs if program.name == "web"]
    with _web(words, port) as web:
        yield web


@contextmanager
def _web(words: Sequence[str], port: int) -> Iterator[WebServer]:
    program, *options = words
    with _running([str(PROGRAMS / program), *options], name="web") as process:
        if not wait_until(lambda: _answers(port), timeout_seconds=60):
            raise ProgramFailed(_log("web").read_text())
        yield WebServer(port=port, pid=process.pid)


@contextmanager
def celery_worker(
    queue: str, *, concurrency: int = 1, has_events: bool = False
) -> Iterator[int]:
    """Run a Celery worker on a queue; yield its parent's process id."""
    where = ("-Q", queue, "-n", f"{queue}@bench", *(["-E"] if has_events else []))
    options = ("-A", "config", "worker", *where, "-c", str(concurrency))
    with _running([str(PROGRAMS / "celery"), *options], name=queue) as process:
        yield process.pid


@contextmanager
def celery_beat(scheduler: str) -> Iterator[int]:
    """Run Celery beat under a scheduler class, kill it at the end; yield its id.

    It is killed because a normal shutdown may store sent entries for minutes. All
    classes look for edits at least every 5 seconds, as most do by default.
    """
    options = ("-A", "config", "beat", "-S", scheduler, "--max-interval", "5")
    with _running([str(PROGRAMS / "celery"), *options], name="beat") as process:
        try:
            yield process.pid
        finally:
            kill_group(process)


@contextmanager
def _running(command: Sequence[str], *, name: str) -> Iterator[subprocess.Popen[bytes]]:
    process = spawn(
        command,
        folder=ROOT,
        log=_log(name),
        environment=os.environ,
        death_signal=signal.SIGTERM,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            kill_group(process)


def _point_at(servers: EmbeddedServers, folder: Path) -> None:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="benchmarks.settings",
        TICKHOOK_DATA=str(folder),
        DATABASE_URL=servers.database_url,
        REDIS_URL=servers.redis_url,
        SECRET_KEY="benchmarks",  # noqa: S106 - of throw-away servers
        FIELD_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
        # Checked with each request, and never reached.
        **{f"TICKHOOK_{name}_LIMIT": "1000000000" for name in LIMITS},
    )
    for name in ("CELERY_BROKER_URL", "DEBUG", "TRUSTED_PROXIES"):
        os.environ.pop(name, None)


def _log(name: str) -> Path:
    return Path(os.environ["TICKHOOK_DATA"]) / "logs" / f"{name}.log"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
