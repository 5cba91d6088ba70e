"""Whether this process runs, and whether it can accept work."""

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
    """Answer that this process runs; nothing else is looked at."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer whether work can be accepted: the database is writable and migrated.

    The state of Redis is shown but not required: without it, work is accepted and done
    later.
    """
    database = probe.state()
    redis = "ok" if ask_redis(lambda r: bool(r.ping()), otherwise=False) else "down"
    is_ready = database == OK
    return JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "database": database,
         "redis": redis},
        status=200 if is_ready else 503,
    )  # fmt: skip


def look_at_database() -> str:
    """Return the state of the database, as this thread's connection finds it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            is_writable = cursor.fetchone() == ("off",)
        if not is_writable:
            return READ_ONLY
        return OK if _is_migrated() else MIGRATIONS_PENDING
    except Error:
        return DOWN


class Probe:
    """Looks at the database on a new connection each time, in a thread of its own.

    Only a new connection shows that the server still accepts any: one that shuts down
    goes on answering on those it has. A state is kept for a second, so that frequent
    requests do not mean frequent connections, and a request waits two seconds at most.
    """

    def __init__(
        self,
        look: Callable[[], str],
        *,
        keep_seconds: float = 1.0,
        wait_seconds: float = 2.0,
    ) -> None:
        self._look = look
        self._keep_seconds = keep_seconds
        self._wait_seconds = wait_seconds
        self._thread = BackgroundThread(self._look_once, name="readyz")
        self._changed = threading.Condition()
        self._is_looking = False
        self._looked_at = -math.inf
        self._state = DOWN

    def state(self) -> str:
        """Return what the last look found, or `down` while the next takes too long."""
        with self._changed:
            if not self._is_looking:
                if time.monotonic() - self._looked_at < self._keep_seconds:
                    return self._state
                self._is_looking = True
                self._thread.wake()
            is_done = self._changed.wait_for(
                lambda: not self._is_looking, timeout=self._wait_seconds
            )
            return self._state if is_done else DOWN

    def _look_once(self) -> None:
        state = DOWN
        try:
            state = self._look()
        finally:
            connection.close()
            with self._changed:
                self._state, self._looked_at = state, time.monotonic()
                self._is_looking = False
                self._changed.notify_all()


probe = Probe(look_at_database)


def _is_migrated() -> bool:
    """Return whether all migrations are applied; the plan is computed only if not."""
    applied = MigrationRecorder(connection).applied_migrations()
    if all(leaf in applied for leaf in _newest_migrations()):
        return True
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


@cache
def _newest_migrations() -> list[tuple[str, str]]:
    """Return the last migration of each app, read from the disk once a process."""
    return list(MigrationLoader(None).graph.leaf_nodes())
