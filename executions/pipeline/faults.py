"""What may be told of an exception: kind, place and SQLSTATE, never what it quotes.

The text of an exception can hold a sender's data: PostgreSQL names the failing row.
"""

from __future__ import annotations

import traceback

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, connection

from common.database.errors import (
    QUERY_CANCELED,
    DatabaseAway,
    is_unavailable,
    sqlstate,
)


def raise_if_nobodys_fault(error: Exception) -> None:
    """Raise DatabaseAway unless the event, its triggers or our code caused the error.

    SoftTimeLimitExceeded is raised as it is: it says nothing of the event at hand.
    """
    if isinstance(error, SoftTimeLimitExceeded):
        raise error
    if isinstance(error, Error) and (
        _is_of_the_server(error) or not connection.is_usable()
    ):
        raise DatabaseAway from error


def _is_of_the_server(error: Error) -> bool:
    """Return whether the server says so itself.

    A canceled statement may be slow because of its data, and an error without a
    SQLSTATE may come from the driver: there the state of the connection decides.
    """
    state = sqlstate(error)
    return state not in {"", QUERY_CANCELED} and is_unavailable(error)


def describe(error: Exception) -> str:
    """Return an exception's kind, and what PostgreSQL says without the row."""
    name = type(error).__name__
    said = getattr(getattr(error.__cause__, "diag", None), "message_primary", None)
    return f"{name} (SQLSTATE {sqlstate(error)}): {said}" if said else name


def stack_of(error: Exception) -> str:
    """Return where an exception was raised, without its text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{describe(error)}"
