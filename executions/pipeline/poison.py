"""Errors while events are processed: what caused them, and what is recorded of them.

The text of an exception can hold a sender's data: PostgreSQL quotes the failing row. So
only the class, the place and the SQLSTATE of an exception are logged and stored.
"""

from __future__ import annotations

import logging
import traceback

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, connection, transaction
from django.utils import timezone

from common.database.errors import (
    QUERY_CANCELED,
    DatabaseAway,
    is_unavailable,
    sqlstate,
)
from executions.models import ExecutionStatus, Reason
from executions.pipeline.leases import (
    Lease,
    LeaseLost,
    closing_lease,
    lock_lease,
    remove_from_inbox,
)
from executions.pipeline.match import Pair, find_pairs, load_events
from executions.pipeline.store import NewExecution, store_executions

logger = logging.getLogger(__name__)

WORKER_DIED = "A worker died three times while it processed this event"


def record_poison(lease: Lease) -> int:
    """Record an event whose worker died three times as failed, without evaluation."""
    with closing_lease(lease):
        try:
            with transaction.atomic():
                lock_lease(lease.id)
                _, pairs = find_pairs(load_events(lease.event_ids))
                for pair in pairs:
                    store_poison(pair, error_type="WorkerDied", message=WORKER_DIED)
                remove_from_inbox(lease.event_ids)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - the event is removed, the error logged
            raise_if_unrelated(error)
            # Not even the triggers of the event can be found.
            ids = [str(event_id) for event_id in lease.event_ids]
            logger.error("Removed %s from the inbox: %s", ids, describe_error(error))
            remove_from_inbox(lease.event_ids)
    return len(lease.event_ids)


def store_poison(pair: Pair, *, error_type: str, message: str) -> None:
    execution = NewExecution(
        pair=pair, executed_at=timezone.now(), status=ExecutionStatus.FAILED
    )
    execution.fail(Reason.POISON, error_type=error_type, message=message)
    store_executions([execution])


def raise_if_unrelated(error: Exception) -> None:
    """Raise DatabaseAway unless the event, its triggers or our code caused the error.

    SoftTimeLimitExceeded is raised unchanged: it is unrelated to the event, too.
    """
    if isinstance(error, SoftTimeLimitExceeded):
        raise error
    if not isinstance(error, Error):
        return
    # A canceled statement may be slow because of its data, and an error without a
    # SQLSTATE may come from the driver: there the state of the connection decides.
    is_ambiguous = sqlstate(error) in {"", QUERY_CANCELED}
    is_from_server = not is_ambiguous and is_unavailable(error)
    if is_from_server or not connection.is_usable():
        raise DatabaseAway from error


def describe_error(error: Exception) -> str:
    """Return an exception's class, and PostgreSQL's message without the row."""
    name = type(error).__name__
    message = getattr(getattr(error.__cause__, "diag", None), "message_primary", None)
    return f"{name} (SQLSTATE {sqlstate(error)}): {message}" if message else name


def format_stack(error: Exception) -> str:
    """Return where an exception was raised, without its text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{describe_error(error)}"
