from __future__ import annotations

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from common.redis import ask_redis


def livez(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; asks nothing else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether work can be accepted: the database is there and migrated.

    Redis is told of but not required: without it, work is accepted and done later.
    """
    database = _database_state()
    redis = "ok" if ask_redis(lambda r: bool(r.ping()), otherwise=False) else "down"
    is_ready = database == "ok"
    return JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "database": database,
         "redis": redis},
        status=200 if is_ready else 503,
    )  # fmt: skip


def _database_state() -> str:
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return "down"
    return "migrations pending" if plan else "ok"
