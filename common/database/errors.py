"""Distinguishes errors of an unavailable database server from our own errors.

The exception classes do not show the difference: a read-only server raises
InternalError, an index row that is too large raises OperationalError. The SQLSTATE
shows it (PostgreSQL, appendix A).
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress

import psycopg
from django.db import Error, InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

LOG_EVERY_SECONDS = 5.0
QUERY_CANCELED = "57014"
_UNAVAILABLE = (
    "08",  # connection lost
    "25006",  # read-only: a standby, or a hosted server whose disk is full
    "25P03",  # idle in a transaction for too long: the server ended the session
    "25P04",  # the transaction took too long
    "40",  # rolled back in favor of another transaction: deadlock, serialization
    "53",  # no disk space, memory or connection left
    "55P03",  # a lock was not acquired in time
    QUERY_CANCELED,
    "57P",  # the server is starting, stopping or has crashed
    "58",  # the operating system failed the server
)
# Errors without a SQLSTATE: the client raises them when a connection is broken.
_CONNECTION_ERRORS = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


class DatabaseAway(Exception):
    """The database is unavailable, or rolled back a transaction in favor of another."""


def is_unavailable(error: BaseException) -> bool:
    """Return whether the same request could succeed later, on another connection."""
    if isinstance(error, DatabaseAway):
        return True
    if not isinstance(error, (Error, psycopg.Error)):
        return False
    if state := sqlstate(error):
        return state.startswith(_UNAVAILABLE)
    # psycopg raises a plain DatabaseError for a response that ends in the middle.
    return (
        isinstance(error, _CONNECTION_ERRORS)
        or type(error.__cause__ or error) is psycopg.DatabaseError
    )


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of an error of Django or psycopg; "" if it has none."""
    of_psycopg = error if isinstance(error, psycopg.Error) else error.__cause__
    return getattr(of_psycopg, "sqlstate", None) or ""


def error_kind(error: BaseException) -> str:
    """Return the class of an error and its SQLSTATE, without text from the server."""
    state = sqlstate(error)
    return type(error).__name__ + (f" (SQLSTATE {state})" if state else "")


class _OutageLog:
    """Logs the requests that failed for lack of a database, one line for many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unlogged = 0
        self._logged_at = -LOG_EVERY_SECONDS

    def record(self, error: BaseException) -> None:
        with self._lock:
            self._unlogged += 1
            now = time.monotonic()
            if now - self._logged_at < LOG_EVERY_SECONDS:
                return
            count, self._unlogged, self._logged_at = self._unlogged, 0, now
        logger.warning(
            "Database unavailable: %s; requests answered 503 since the last such "
            "line: %d",
            error_kind(error),
            count,
        )


outages = _OutageLog()


def drop_connection() -> None:
    """Close this thread's connection, so that the next statement opens a new one.

    Inside a transaction the connection stays, because the transaction must end first.
    """
    if not connection.in_atomic_block:
        with suppress(Error):
            connection.close()
