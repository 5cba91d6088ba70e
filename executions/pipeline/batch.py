"""Works the events of a lease: judge, admit, store, all in one transaction.

A batch that raises is halved until one event is left; then each of its triggers is
tried apart, and the one that raises is recorded as `failed: poison`. A database that is
away is nobody's fault: the lease is given back and the error passed on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, connection, transaction
from django.utils import timezone

from agents.services.submit import submit_tasks
from common.text import clean_text
from events.models import Event, Inbox
from executions.models import ExecutionStatus
from executions.pipeline.admit import admit
from executions.pipeline.bodies import read_bodies
from executions.pipeline.document import event_values
from executions.pipeline.judge import judge
from executions.pipeline.leases import Lease, close_lease, hold_lease
from executions.pipeline.matching import Pair, find_pairs
from executions.pipeline.misfire import find_misfires
from executions.pipeline.outcome import Outcome, Reason
from executions.pipeline.store import store_outcomes

logger = logging.getLogger(__name__)

MAX_PAIRS = 5000

# SQLSTATEs: connection lost, read-only standby, rolled back for another's sake, no room
# or memory, lock not to be had, server stopping, server broken.
_NOBODYS_FAULT = ("08", "25006", "40", "53", "55P03", "57P", "58")


class LeaseLost(Exception):
    """Another worker has taken the lease back."""


class DatabaseAway(Exception):
    """The database is away, or ended a transaction for another's sake: try again."""


def work_lease(lease: Lease) -> int:
    """Work all events of a lease; return how many. What was lost is left to others."""
    try:
        done = _work(lease.id, lease.event_ids)
    except LeaseLost:
        logger.warning("Lease %s was taken back before it was worked", lease.id)
        return 0
    except DatabaseAway:
        if connection.is_usable():
            close_lease(lease.id)
        raise
    close_lease(lease.id)
    return done


def work_poison(lease: Lease) -> int:
    """Record an event that killed its worker three times, without judging it."""
    error = RuntimeError("Its worker died three times while working it")
    with transaction.atomic():
        _hold(lease.id)
        for pair in find_pairs(_load(lease.event_ids)):
            _store_poison(pair, error)
        _settle(lease.event_ids)
    close_lease(lease.id)
    return len(lease.event_ids)


def _work(lease_id: UUID, event_ids: Sequence[UUID]) -> int:
    try:
        task_ids, done = _work_together(lease_id, event_ids)
    except LeaseLost:
        raise
    except Exception as error:
        _raise_if_away(error)
        if len(event_ids) == 1:
            logger.exception("Event %s can't be worked", event_ids[0])
            return _work_apart(lease_id, event_ids[0], error)
        logger.warning("A batch of %d events raised; halved", len(event_ids))
        middle = len(event_ids) // 2
        return _work(lease_id, event_ids[:middle]) + _work(lease_id, event_ids[middle:])
    submit_tasks(task_ids)
    return done


def _work_together(lease_id: UUID, event_ids: Sequence[UUID]) -> tuple[list[UUID], int]:
    """Work events in one transaction; return the new tasks and how many events."""
    with transaction.atomic():
        _hold(lease_id)
        events = _load(event_ids)
        events, pairs = _bounded(events, find_pairs(events))
        outcomes = _judge_all(events, pairs)
        admit(outcomes)
        store_outcomes(outcomes)
        _settle([event.id for event in events])
    return [o.task.id for o in outcomes if o.task], len(events)


def _work_apart(lease_id: UUID, event_id: UUID, cause: Exception) -> int:
    """Work each trigger of one event under a savepoint, so that one can fail alone."""
    task_ids: list[UUID] = []
    with transaction.atomic():
        _hold(lease_id)
        events = _load([event_id])
        for pair in find_pairs(events):
            task_ids += _work_pair(pair)
        _settle([event_id])
    submit_tasks(task_ids)
    logger.warning("Event %s was worked apart after %s", event_id, type(cause).__name__)
    return len(events)


def _work_pair(pair: Pair) -> list[UUID]:
    try:
        with transaction.atomic():
            outcomes = _judge_all([pair.event], [pair])
            admit(outcomes)
            store_outcomes(outcomes)
    except Exception as error:
        _raise_if_away(error)
        logger.exception("Poison: trigger %s, event %s", pair.trigger.id, pair.event.id)
        _store_poison(pair, error)
        return []
    return [o.task.id for o in outcomes if o.task]


def _judge_all(events: Sequence[Event], pairs: Sequence[Pair]) -> list[Outcome]:
    bodies = read_bodies(events)
    shared = {event.id: event_values(event, bodies[event.id]) for event in events}
    missed = find_misfires(pairs)
    return [
        judge(
            pair,
            bodies[pair.event.id],
            shared[pair.event.id],
            is_missed=pair.event.id in missed,
        )
        for pair in pairs
    ]


def _store_poison(pair: Pair, error: Exception) -> None:
    store_outcomes(
        [
            Outcome(
                pair=pair,
                executed_at=timezone.now(),
                status=ExecutionStatus.FAILED,
                reason=Reason.POISON,
                error_type=type(error).__name__,
                error_message=clean_text(str(error), limit=10_000),
            )
        ]
    )


def _hold(lease_id: UUID) -> None:
    if not hold_lease(lease_id):
        raise LeaseLost


def _load(event_ids: Sequence[UUID]) -> list[Event]:
    return list(Event.objects.filter(pk__in=event_ids).order_by("pk"))


def _bounded(events: list[Event], pairs: list[Pair]) -> tuple[list[Event], list[Pair]]:
    """Keep as many events as make up 5,000 pairs, at least one; the rest waits."""
    if len(pairs) <= MAX_PAIRS:
        return events, pairs
    last = max(pairs[MAX_PAIRS].event.id, events[0].id)
    kept = [event for event in events if event.id < last] or events[:1]
    ids = {event.id for event in kept}
    return kept, [pair for pair in pairs if pair.event.id in ids]


def _raise_if_away(error: Exception) -> None:
    """Raise DatabaseAway unless the fault lies in what was to be written.

    An OperationalError can be either: "index row too large" is one, too. Being out of
    time is no fault of the event at hand, and raised on.
    """
    if isinstance(error, SoftTimeLimitExceeded):
        raise error
    if not isinstance(error, Error):
        return
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if state.startswith(_NOBODYS_FAULT) or not connection.is_usable():
        raise DatabaseAway from error


def _settle(event_ids: Sequence[UUID]) -> None:
    Inbox.objects.filter(pk__in=event_ids).delete()
