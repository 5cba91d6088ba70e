"""A PgBouncer in front of the tests' PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from local.embedded.folders import (
    make_server_folder,
    remove_server_folder,
    socket_folder,
)
from local.embedded.process import kill_group, spawn, wait_until

_PORT = 6432
_CONFIGURATION = """
[databases]
* = host={server}
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {sockets}
auth_type = {auth}
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 1000
server_round_robin = {round_robin}
tcp_keepidle = 5
tcp_keepintvl = 2
tcp_keepcnt = 3
"""


def find_pgbouncer() -> Path:
    """Return the program's path; if it is missing, skip the test, or fail it in CI."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None and not os.environ.get("CI"):
        pytest.skip("needs pgbouncer")
    assert found, "pgbouncer is not installed"
    return Path(found)


@contextmanager
def pgbouncer(
    folder: Path,
    *,
    mode: str = "transaction",
    size: int = 8,
    round_robin: bool = False,
    password: str = "",
    database_url: str | None = None,
) -> Iterator[str]:
    """Run PgBouncer; yield the URL of a database (by default the tests') through it."""
    program = find_pgbouncer()
    direct = database_url or os.environ["DATABASE_URL"]
    place = make_server_folder(folder)
    sockets = socket_folder(place)
    files = {
        "users": f'"tickhook" "{password}"\n',
        "pgbouncer.ini": _CONFIGURATION.format(
            server=conninfo_to_dict(direct)["host"],
            port=_PORT,
            sockets=sockets,
            folder=place.path,
            auth="scram-sha-256" if password else "trust",
            mode=mode,
            size=size,
            round_robin=int(round_robin),
        ),
    }
    for name, content in files.items():
        (place.path / name).write_text(content)
        place.own(place.path / name)
    process = spawn(
        [program, place.path / "pgbouncer.ini"],
        folder=place.path,
        log=folder.parent / "logs" / "pgbouncer.log",
        environment={"PATH": "/usr/bin:/bin"},
        death_signal=signal.SIGTERM,
        identity=place.identity,
    )
    path = urlsplit(direct).path
    login = f"tickhook:{quote(password, safe='')}" if password else "tickhook"
    url = f"postgresql://{login}@{quote(str(sockets), safe='')}:{_PORT}{path}"
    try:
        assert wait_until(lambda: _answers(url), timeout_seconds=60)
        yield url
    finally:
        kill_group(process)
        remove_server_folder(folder)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
