"""Detects a connection pooler (PgBouncer) between this process and PostgreSQL.

A pooler that gives a server connection to another client after each transaction mixes
up what lives in a session: prepared statements, settings, LISTEN. Each new connection
is checked, so a pooler that appears while a program runs is detected, too.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4
from weakref import WeakSet

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

VARIABLES = {"default": "DATABASE_URL", "clock": "CLOCK_DATABASE_URL"}
IDLE_SETTING = "idle_in_transaction_session_timeout"
IDLE_LIMIT = "30s"

# PostgreSQL sends its process id when it accepts a connection; a pooler sends another
# number. The limit is set only in a session that belongs to this connection.
_INSPECT = f"""
SELECT pg_backend_pid() = %s,
    current_setting('{IDLE_SETTING}')::interval
        BETWEEN interval '1 millisecond' AND interval '{IDLE_LIMIT}',
    CASE WHEN pg_backend_pid() = %s AND %s
    THEN set_config('{IDLE_SETTING}', '{IDLE_LIMIT}', false) END
"""
_SEEN = "SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = %s)"
# The statement of another client on the server connection proves that it is shared. A
# hidden statement (`<…>` or empty) proves nothing.
_IS_SHARED = """
SELECT pg_backend_pid() = %s OR EXISTS (
    SELECT FROM pg_stat_activity
    WHERE pid = %s AND query NOT LIKE %s AND query <> '' AND query NOT LIKE '<%%'
)
"""
# A pooler uses the server connection that was released last, or all in turn. The last
# number finds the second kind.
_TRIES = (1,) * 20 + (100,)

_direct: WeakSet[psycopg.Connection[Any]] = WeakSet()
_has_warned = False


class StatementsMixedUp(ImproperlyConfigured):
    """The pooler mixes up the prepared statements of its clients."""


def is_direct(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the open connection leads to PostgreSQL without a pooler."""
    return connection.connection in _direct


def leads_to_postgres(raw: psycopg.Connection[Any]) -> bool:
    """Return whether a psycopg connection leads to PostgreSQL without a pooler."""
    row = raw.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    return row is not None and row[0] == raw.info.backend_pid


def inspect_connection(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    """Set the limit of a new connection; raise StatementsMixedUp for a wrong pooler.

    With the limit, the server ends the transaction of a stopped worker, which otherwise
    keeps its row locks.
    """
    try:
        _inspect(connection)
    except Exception:
        connection.close()
        raise


def _inspect(connection: BaseDatabaseWrapper) -> None:
    raw: psycopg.Connection[Any] = connection.connection
    pid = raw.info.backend_pid
    is_ours = IDLE_SETTING not in str(
        connection.settings_dict["OPTIONS"].get("options")
    )
    row = raw.execute(_INSPECT, [pid, pid, is_ours], prepare=False).fetchone()
    reached_directly, is_limited, _ = row or (False, False, None)
    if reached_directly:
        _direct.add(raw)
        return
    if raw.prepare_threshold is not None and _mixes_up_statements(connection):
        variable = VARIABLES.get(connection.alias, "DATABASE_URL")
        raise StatementsMixedUp(
            f"{variable} leads to a pooler that shares server connections between "
            "clients (transaction pooling), and prepared statements are on: they "
            f"would be mixed up. Add ?prepare_threshold=none to {variable}, or use "
            "PgBouncer 1.21 or newer with max_prepared_statements = 200."
        )
    if not is_limited:
        _warn_of_no_limit(raw)


def refuse_wrong_pooler() -> None:
    """Connect once; raise StatementsMixedUp if the settings do not fit the pooler.

    Programs call this when they start. If PostgreSQL is unavailable, it only returns:
    each later connection is checked, too.
    """
    try:
        connection.ensure_connection()
    except Error as error:
        logger.warning("The database is unavailable: %s", type(error).__name__)
    finally:
        connection.close()


def _mixes_up_statements(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the pooler keeps statement names, and shares its sessions."""
    raw: psycopg.Connection[Any] = connection.connection
    name = f"tickhook_{uuid4().hex}"
    with raw.transaction():
        raw.pgconn.prepare(name.encode(), b"SELECT 1")
        [is_seen] = raw.execute(_SEEN, [name], prepare=False).fetchone() or [False]
        if is_seen:
            raw.execute(f'DEALLOCATE "{name}"'.encode())
    return is_seen and _shares_sessions(connection)


def _shares_sessions(connection: BaseDatabaseWrapper) -> bool:
    """Return whether another client uses the server connection of this one."""
    raw: psycopg.Connection[Any] = connection.connection
    mark = f"tickhook {uuid4().hex}"
    statement = f"SELECT pg_backend_pid() /* {mark} */".encode()
    parameters = connection.get_connection_params() | {"autocommit": True}
    with psycopg.connect(**parameters) as other:
        for tries in _TRIES:
            [pid] = raw.execute(statement, prepare=False).fetchone() or [0]
            values = [pid, pid, f"%{mark}%"]
            for _ in range(tries):
                answer = other.execute(_IS_SHARED, values, prepare=False).fetchone()
                if answer and answer[0]:
                    return True
    return False


def _warn_of_no_limit(raw: psycopg.Connection[Any]) -> None:
    global _has_warned
    if _has_warned:
        return
    _has_warned = True
    logger.warning(
        "%s of the pooler's sessions is off or over %s: a worker that is stopped in a "
        'transaction keeps its row locks. Run once: ALTER ROLE "%s" IN DATABASE "%s" '
        "SET %s = '%s'",
        IDLE_SETTING,
        IDLE_LIMIT,
        raw.info.user,
        raw.info.dbname,
        IDLE_SETTING,
        IDLE_LIMIT,
    )
