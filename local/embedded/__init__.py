"""PostgreSQL and Valkey for a machine that has neither.

The programs come from wheels, listen on sockets only, recover after a kill, and end
with the process that started them, even if that one is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.embedded.folders import FolderUnusableError, remove_server_folder
from local.embedded.servers import (
    Server,
    ServerAlreadyRunningError,
    ServerDidNotStartError,
    start_postgres,
    start_valkey,
)

__all__ = [
    "EmbeddedServers",
    "FolderUnusableError",
    "Server",
    "ServerAlreadyRunningError",
    "ServerDidNotStartError",
    "embedded_servers",
    "start_postgres",
    "start_valkey",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServers:
    """Both servers, running."""

    postgres: Server
    valkey: Server

    @property
    def database_url(self) -> str:
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        return self.valkey.url


@contextmanager
def embedded_servers(
    folder: Path, *, throw_away: bool = False
) -> Iterator[EmbeddedServers]:
    """Run both servers with data in `folder`; `throw_away` deletes it at the end."""
    with ExitStack() as cleanup:
        if throw_away:
            cleanup.callback(remove_server_folder, folder / "postgres")
            cleanup.callback(remove_server_folder, folder / "valkey")
        valkey = start_valkey(folder / "valkey")
        cleanup.callback(valkey.stop)
        postgres = start_postgres(folder / "postgres", throw_away=throw_away)
        cleanup.callback(postgres.stop)
        yield EmbeddedServers(postgres=postgres, valkey=valkey)
