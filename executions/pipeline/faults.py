"""What may be told of an exception: kind, place and SQLSTATE, never what it quotes.

The text of an exception can hold a sender's data: PostgreSQL names the failing row.
"""

from __future__ import annotations

import traceback

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, connection

# SQLSTATEs: connection lost, read-only standby, rolled back for another's sake, no room
# or memory, lock not to be had, server stopping, server broken.
_NOBODYS_FAULT = ("08", "25006", "40", "53", "55P03", "57P", "58")


class DatabaseAway(Exception):
    """The database is away, or ended a transaction for another's sake: try again."""


def raise_if_nobodys_fault(error: Exception) -> None:
    """Raise unless the fault lies in what was judged or was to be written.

    An OperationalError can be either: "index row too large" is one, too. Being out of
    time is no fault of the event at hand.
    """
    if isinstance(error, SoftTimeLimitExceeded):
        raise error
    if isinstance(error, Error) and (
        sqlstate(error).startswith(_NOBODYS_FAULT) or not connection.is_usable()
    ):
        raise DatabaseAway from error


def sqlstate(error: Exception) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def describe(error: Exception) -> str:
    """Return an exception's kind, and what PostgreSQL says without the row."""
    name = type(error).__name__
    said = getattr(getattr(error.__cause__, "diag", None), "message_primary", None)
    return f"{name} (SQLSTATE {sqlstate(error)}): {said}" if said else name


def stack_of(error: Exception) -> str:
    """Return where an exception was raised, without its text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{describe(error)}"
