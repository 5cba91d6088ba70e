"""PostgreSQL and Valkey on sockets, from the wheels of PyPI."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from common.database.errors import is_unavailable
from local.embedded.folders import (
    ServerFolder,
    find_postgres_programs,
    find_valkey_program,
    make_server_folder,
    socket_folder,
)
from local.embedded.process import kill_group, spawn, try_lock, wait_until

# After a kill the server replays its log, which can take minutes.
_START_TIMEOUT_SECONDS = 300
_LOCK_TIMEOUT_SECONDS = 10
# The servers need none of our variables, least of all the keys.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


_NAME = "tickhook"
# No ICU and no glibc collations: an upgrade of either would break indexes.
_INITDB_OPTIONS = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=reject",
    f"--username={_NAME}",
)
# An idle psql with an open transaction keeps VACUUM from removing deleted rows. The
# service sets a shorter time for its own sessions.
_SESSION_OPTIONS = ("-cidle_in_transaction_session_timeout=5min",)
# LOCK_FILE_LINE_PM_STATUS of PostgreSQL's miscadmin.h.
_STATUS_LINE = 8
_THROW_AWAY_OPTIONS = ("-cfsync=off", "-csynchronous_commit=off")


class ServerAlreadyRunningError(RuntimeError):
    """Another process runs a server on this data."""


class ServerDidNotStartError(RuntimeError):
    """An embedded server ended or did not answer; its log contains the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running embedded server.

    `is_stopping` returns whether it refuses new clients because it shuts down.
    """

    name: str
    url: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    is_stopping: Callable[[], bool]

    def stop(self, *, timeout_seconds: float = 10) -> None:
        """End the server cleanly; kill it if that takes too long. May be repeated."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server at once; its next start recovers what was committed."""
        kill_group(self.process)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """How to start one kind of server, and how to find out whether it answers."""

    name: str
    url: str
    command: Sequence[str | Path]
    stop_signal: signal.Signals
    answers: Callable[[], bool]
    is_stopping: Callable[[], bool] = lambda: False


def lock_folder(folder: ServerFolder) -> int:
    """Return the descriptor of a lock that one server at a time can hold.

    The server inherits it, so the lock is held until its last process has ended, which
    may be a moment after its parent: hence the wait.
    """
    lock = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if wait_until(lambda: try_lock(lock), timeout_seconds=_LOCK_TIMEOUT_SECONDS):
        return lock
    os.close(lock)
    raise ServerAlreadyRunningError(f"another server uses {folder.path}")


def start_server(
    plan: ServerPlan, *, folder: ServerFolder, lock: int, log: Path
) -> Server:
    """Start a server and wait until it answers."""
    process = spawn(
        plan.command,
        folder=folder.path,
        log=log,
        environment=ENVIRONMENT,
        death_signal=plan.stop_signal,
        identity=folder.identity,
        pass_fds=[lock],
    )
    try:
        answers = wait_until(
            lambda: process.poll() is not None or plan.answers(),
            timeout_seconds=_START_TIMEOUT_SECONDS,
        )
    except BaseException:
        kill_group(process)
        raise
    if answers and process.poll() is None:
        return Server(
            name=plan.name,
            url=plan.url,
            process=process,
            stop_signal=plan.stop_signal,
            is_stopping=plan.is_stopping,
        )
    kill_group(process)
    raise ServerDidNotStartError(f"{plan.name} did not start; see {log}")


def start_postgres(
    data_dir: Path, *, log: Path | None = None, throw_away: bool = False
) -> Server:
    """Start PostgreSQL on `data_dir`, and make the database `tickhook` if needed.

    After a crash it recovers what was committed. `throw_away` gives that up for speed.
    """
    log = log or data_dir.parent / "logs" / "postgres.log"
    folder = make_server_folder(data_dir)
    lock = lock_folder(folder)
    try:
        return _start_locked(folder, lock=lock, log=log, throw_away=throw_away)
    finally:
        os.close(lock)


def _start_locked(
    folder: ServerFolder, *, lock: int, log: Path, throw_away: bool
) -> Server:
    programs = find_postgres_programs(folder)
    sockets = socket_folder(folder)
    cluster = folder.path / "cluster"
    if not cluster.exists():
        options = [*_INITDB_OPTIONS, *(["--no-sync"] if throw_away else [])]
        _make_cluster([programs / "initdb", *options], cluster=cluster, folder=folder)
    # The files of a killed server contain its process id, which can be in use again.
    # The lock of the folder proves that none of its processes is alive.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    plan = ServerPlan(
        name="postgres",
        url=f"postgresql://{_NAME}@{str(sockets).replace('/', '%2F')}/{_NAME}",
        command=[
            *(programs / "postgres", "-D", cluster),
            *("-clisten_addresses=", "-cjit=off", "-cunix_socket_permissions=0700"),
            f'-cunix_socket_directories="{sockets}"',
            *_SESSION_OPTIONS,
            *(_THROW_AWAY_OPTIONS if throw_away else ()),
        ],
        # A fast shutdown. SIGTERM waits until the last client has disconnected.
        stop_signal=signal.SIGINT,
        answers=lambda: _has_database(sockets),
        is_stopping=lambda: _is_stopping(cluster / "postmaster.pid"),
    )
    return start_server(plan, folder=folder, lock=lock, log=log)


def _make_cluster(
    initdb: Sequence[str | Path], *, cluster: Path, folder: ServerFolder
) -> None:
    """Run `initdb` in another folder, so that half a cluster is never started."""
    partial = cluster.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    outcome = subprocess.run(  # noqa: S603 (no shell; the wheel's program)
        [*initdb, "-D", partial],
        user=folder.identity.uid if folder.identity else None,
        group=folder.identity.gid if folder.identity else None,
        extra_groups=[] if folder.identity else None,
        cwd=folder.path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise ServerDidNotStartError(f"initdb failed: {outcome.stderr.strip()}")
    partial.rename(cluster)


def _is_stopping(pid_file: Path) -> bool:
    """Return whether the server shuts down, according to its own status line."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= _STATUS_LINE and lines[_STATUS_LINE - 1].strip() == "stopping"


def _has_database(sockets: Path) -> bool:
    """Return whether the server answers; make our database when it first does."""
    try:
        with psycopg.connect(
            host=str(sockets), user=_NAME, dbname="postgres", autocommit=True
        ) as connection:
            wanted = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(wanted, [_NAME]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {_NAME}")  # type: ignore[call-overload,unused-ignore]
    except psycopg.Error as error:
        if not is_unavailable(error):
            raise
        return False
    return True


def start_valkey(data_dir: Path, *, log: Path | None = None) -> Server:
    """Start Valkey on `data_dir`, made if needed; its data survives a crash.

    If the wheel has no program for this machine, use an installed Valkey or Redis.
    """
    log = log or data_dir.parent / "logs" / "valkey.log"
    folder = make_server_folder(data_dir)
    lock = lock_folder(folder)
    try:
        return start_server(_plan(folder), folder=folder, lock=lock, log=log)
    finally:
        os.close(lock)


def _plan(folder: ServerFolder) -> ServerPlan:
    socket = socket_folder(folder) / "valkey.sock"

    def answers() -> bool:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    return ServerPlan(
        name="valkey",
        url=f"unix://{socket}?db=0",
        command=[
            find_valkey_program(folder),
            *("--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        ],
        stop_signal=signal.SIGTERM,
        answers=answers,
    )
