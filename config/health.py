"""The health checks `/livez` and `/readyz`."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import cache

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse

from common.redis import ask_redis
from common.threads import BackgroundThread

OK = "ok"
DOWN = "down"
READ_ONLY = "read-only"
MIGRATIONS_PENDING = "migrations pending"


def livez(request: HttpRequest) -> HttpResponse:
    """Return 200: this process runs."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Return 200 if work can be accepted: the database is writable and migrated.

    Redis need not be available: without it, work is accepted and done later.
    """
    database = probe.state()
    redis = "ok" if ask_redis(lambda r: bool(r.ping()), otherwise=False) else "down"
    is_ready = database == OK
    return JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "database": database,
         "redis": redis},
        status=200 if is_ready else 503,
    )  # fmt: skip


def check_database() -> str:
    """Return the state of the database, on the connection of this thread."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            is_writable = cursor.fetchone() == ("off",)
        if not is_writable:
            return READ_ONLY
        applied = MigrationRecorder(connection).applied_migrations()
        if all(leaf in applied for leaf in _newest_migrations()):
            return OK
        executor = MigrationExecutor(connection)
        is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return OK if is_migrated else MIGRATIONS_PENDING
    except Error:
        return DOWN


class Probe:
    """Checks the database in a background thread, each time on a new connection.

    Only a new connection shows that the server accepts connections: while it shuts
    down, it still answers on existing ones. The state is valid for a second, to limit
    the number of connections, and a request waits for two seconds at most.
    """

    def __init__(
        self,
        check: Callable[[], str],
        *,
        keep_seconds: float = 1.0,
        wait_seconds: float = 2.0,
    ) -> None:
        self._check = check
        self._keep_seconds = keep_seconds
        self._wait_seconds = wait_seconds
        self._thread = BackgroundThread(self._check_once, name="readyz")
        self._changed = threading.Condition()
        self._is_checking = False
        self._checked_at = -math.inf
        self._state = DOWN

    def state(self) -> str:
        """Return the last state, or `down` if the next check takes too long."""
        with self._changed:
            if not self._is_checking:
                if time.monotonic() - self._checked_at < self._keep_seconds:
                    return self._state
                self._is_checking = True
                self._thread.wake()
            is_done = self._changed.wait_for(
                lambda: not self._is_checking, timeout=self._wait_seconds
            )
            return self._state if is_done else DOWN

    def _check_once(self) -> None:
        state = DOWN
        try:
            state = self._check()
        finally:
            connection.close()
            with self._changed:
                self._state, self._checked_at = state, time.monotonic()
                self._is_checking = False
                self._changed.notify_all()


probe = Probe(check_database)


@cache
def _newest_migrations() -> list[tuple[str, str]]:
    """Return the last migration of each app, read from the disk once per process."""
    return list(MigrationLoader(None).graph.leaf_nodes())
