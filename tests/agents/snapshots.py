"""A session that holds a snapshot, dead tasks, and the buffers that statements read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from agents.models import Agent, AgentTask, TaskStatus
from common.ids import uuid7

DEAD = 50_000
# A floor stays two seconds behind the oldest transaction that writes, an autovacuum for
# example, so scans read what died since. These died before: 10 to 35 seconds ago.
_AGO = "now() - interval '10 seconds' - n * interval '1 millisecond'"


@pytest.fixture
def held_snapshot() -> Iterator[None]:
    """Keep PostgreSQL from removing rows that are deleted from now on."""
    parameters = connection.get_connection_params()
    known = {
        name: parameters[name]
        for name in ("dbname", "user", "host", "port")
        if parameters.get(name)
    }
    with psycopg.connect(**known) as session:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.execute("SELECT 1")
        yield
        session.rollback()


def bury_tasks(like: AgentTask) -> None:
    """Leave dead tasks that waited or ran, next to live tasks that have ended."""
    worker = f"'{uuid7()}'::uuid"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no FK checks
        _copy(cursor, like, status="'submitted'", next_attempt_at=_AGO, turn_at=_AGO)
        _copy(cursor, like, status="'running'", deadline_at=_AGO, claimed_by=worker)
        _copy(cursor, like, status="'succeeded'")
    dead = AgentTask.objects.exclude(pk=like.pk).exclude(status=TaskStatus.SUCCEEDED)
    dead._raw_delete("default")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agents_agenttask")


def bury_slots(agent: Agent) -> None:
    """Leave dead slots of the last hours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO agents_hintslot (agent_id, period, slot, sent_at) "
            "SELECT %s, extract(epoch FROM now())::bigint / 10 - n, slot, now() "
            "FROM generate_series(10, 3000) n, generate_series(1, 8) slot",
            [agent.pk],
        )
        cursor.execute("DELETE FROM agents_hintslot")
        cursor.execute("ANALYZE agents_hintslot")


def _copy(cursor: CursorWrapper, like: AgentTask, **changed: str) -> None:
    made = {"id": "gen_random_uuid()", "idempotency_key": "gen_random_uuid()"}
    columns = [str(field.column) for field in AgentTask._meta.concrete_fields]
    values = [{**made, **changed}.get(column, f"t.{column}") for column in columns]
    cursor.execute(
        f"INSERT INTO agents_agenttask ({', '.join(columns)}) "  # noqa: S608 - our own names
        f"SELECT {', '.join(values)} FROM agents_agenttask t, generate_series(1, %s) n "
        "WHERE t.id = %s",
        [DEAD // 2, like.pk],
    )


@contextmanager
def counted_buffers() -> Iterator[list[int]]:
    """Collect the number of buffers that each statement on tasks and hints reads.

    Each statement first runs with EXPLAIN in a transaction that is rolled back.
    """
    buffers: list[int] = []

    def explain(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        is_counted = "agents_agenttask" in sql or "agents_hintslot" in sql
        if is_counted and not sql.startswith("EXPLAIN"):
            buffers.append(_explain(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield buffers


def _explain(sql: str, params: Any) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
        [[[explained]]] = cursor.fetchall()
        transaction.set_rollback(True)
    plan = explained["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
