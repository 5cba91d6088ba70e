"""The servers that the tests talk to, and the environment that names them.

The environment is set before Django reads its settings; the servers start with the
first test that needs them, so a unit test starts none. Each worker of pytest-xdist has
servers of its own; one worker migrates a database, and the others copy its files.
DATABASE_URL and REDIS_URL of the caller are not used, because tests delete what they
find.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cryptography.fernet import Fernet

from local.embedded import embedded_servers, start_postgres
from local.embedded.folders import (
    make_server_folder,
    remove_server_folder,
    socket_folder,
)

_at_exit = ExitStack()
_folder = Path()


def set_environment() -> None:
    """Point the settings at servers that are not running yet."""
    global _folder
    atexit.register(_at_exit.close)
    _folder = Path(_at_exit.enter_context(tempfile.TemporaryDirectory(prefix="th-")))
    os.environ.update(
        DATABASE_URL=f"postgresql://tickhook@{_sockets('postgres', '%2F')}/tickhook",
        REDIS_URL=f"unix://{_sockets('valkey', '/')}/valkey.sock?db=0",
        SECRET_KEY="tests",  # noqa: S106 - of throw-away servers
        FIELD_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
        ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
        PUBLIC_URL="http://testserver",
    )
    for name in (
        "CELERY_BROKER_URL",
        "DEBUG",
        "FLOWER_BASIC_AUTH",
        "FLOWER_UNAUTHENTICATED",
        "TICKHOOK_ALLOWED_NETWORKS",
        "TRUSTED_PROXIES",
    ):
        os.environ.pop(name, None)


def start_servers(migrate: Callable[[], None], *, shared: Path) -> None:
    """Start PostgreSQL with a migrated database, and Valkey; they end with the process.

    Of the processes that share a folder, the first one calls `migrate` and leaves the
    files of its PostgreSQL there; the others copy them.
    """
    migrated = shared / "migrated"
    with (shared / "migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if migrated.exists():
            _copy(migrated, _cluster())
        else:
            postgres = start_postgres(_folder / "postgres", throw_away=True)
            try:
                migrate()
            finally:
                postgres.stop()
            _copy(_cluster(), migrated)
    servers = _at_exit.enter_context(embedded_servers(_folder, throw_away=True))
    assert servers.database_url == os.environ["DATABASE_URL"]
    assert servers.redis_url == os.environ["REDIS_URL"]


def _cluster() -> Path:
    return make_server_folder(_folder / "postgres").path / "cluster"


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with the owners of its files."""
    partial = target.with_suffix(".partial")
    subprocess.run(["/bin/cp", "--archive", source, partial], check=True)  # noqa: S603
    partial.rename(target)


def _sockets(server: str, separator: str) -> str:
    """Return the folder in which a server will listen, as a part of its URL."""
    folder = _folder / server
    _at_exit.callback(remove_server_folder, folder)
    return str(socket_folder(make_server_folder(folder))).replace("/", separator)
