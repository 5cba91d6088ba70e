"""The servers that the tests talk to, and the environment that names them.

The environment is set before Django reads its settings; the servers start with the
first test that needs them, so a unit test starts none. Each worker of pytest-xdist has
servers of its own. DATABASE_URL and REDIS_URL of the caller are not used, because tests
delete what they find.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from cryptography.fernet import Fernet

from local.embedded import embedded_servers
from local.embedded.folders import (
    make_server_folder,
    remove_server_folder,
    socket_folder,
)

_at_exit = ExitStack()
_folder = Path()
_is_running = False


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


def start_servers() -> None:
    """Start PostgreSQL and Valkey unless they run; they end with this process."""
    global _is_running
    if _is_running:
        return
    servers = _at_exit.enter_context(embedded_servers(_folder, throw_away=True))
    assert servers.database_url == os.environ["DATABASE_URL"]
    assert servers.redis_url == os.environ["REDIS_URL"]
    _is_running = True


def _sockets(server: str, separator: str) -> str:
    """Return the folder in which a server will listen, as a part of its URL."""
    folder = _folder / server
    _at_exit.callback(remove_server_folder, folder)
    return str(socket_folder(make_server_folder(folder))).replace("/", separator)
