"""Works the events of a lease: judge, admit, store, all in one transaction.

A batch that raises is halved until one event is left; then each of its triggers is
tried apart, and the one that raises is recorded as `failed: poison`. A database that is
away is nobody's fault: the lease is given back and the error passed on. So is a sandbox
that is away, or code that took too much of a batch's time: events whose code can't run
now are put aside, to be tried again in the small batches that never hold up the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from django.db import Error, connection, transaction
from django.utils import timezone

from agents.services.submit import submit_tasks
from common.errors import clean_text
from events.models import Event, Inbox
from executions.models import ExecutionStatus
from executions.pipeline.admission.admit import admit, has_flow_control
from executions.pipeline.admission.lock import hold_admission
from executions.pipeline.faults import describe, raise_if_nobodys_fault
from executions.pipeline.judging import judge_all
from executions.pipeline.leases import Lease, close_lease, hold_lease
from executions.pipeline.matching import Pair, find_pairs
from executions.pipeline.outcome import Outcome, Reason
from executions.pipeline.parsed import EventParser
from executions.pipeline.store import store_outcomes
from senders.sandbox import SandboxUnavailable

logger = logging.getLogger(__name__)

MAX_PAIRS = 5000


class LeaseLost(Exception):
    """Another worker has taken the lease back."""


@dataclass(slots=True)
class Done:
    """What has been committed so far of a lease."""

    events: int = 0
    task_ids: list[UUID] = field(default_factory=list)

    def add(self, events: int, outcomes: Iterable[Outcome]) -> None:
        self.events += events
        self.task_ids += [o.task.id for o in outcomes if o.task and not o.task.is_held]


def work_lease(lease: Lease) -> int:
    """Work all events of a lease; return how many. What was lost is left to others."""
    done = Done()
    with _closing(lease):
        _work(lease.id, lease.event_ids, done)
    submit_tasks(done.task_ids)
    return done.events


def work_poison(lease: Lease) -> int:
    """Record an event that killed its worker three times, without judging it."""
    with _closing(lease):
        try:
            _record_poison(lease)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - its end is written and logged
            raise_if_nobodys_fault(error)
            _drop(lease, error)
    return len(lease.event_ids)


@contextmanager
def _closing(lease: Lease) -> Iterator[None]:
    """Close the lease however its work ends: only a worker's death leaves it open."""
    try:
        yield
    except LeaseLost:
        logger.warning("Lease %s was taken back before it was worked", lease.id)
        return
    except BaseException:
        _give_back(lease)
        raise
    close_lease(lease.id)


def _give_back(lease: Lease) -> None:
    try:
        if not connection.is_usable():
            connection.close()
        close_lease(lease.id)
    except Error:
        logger.warning("Lease %s is left to the sweep", lease.id)


def _work(lease_id: UUID, event_ids: Sequence[UUID], done: Done) -> None:
    try:
        done.add(*_work_together(lease_id, event_ids))
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - halved until one has it
        raise_if_nobodys_fault(error)
        if len(event_ids) == 1:
            logger.warning("Event %s, tried apart: %s", event_ids[0], describe(error))
            _work_alone(lease_id, event_ids[0], done)
            return
        logger.warning("%d events, halved: %s", len(event_ids), describe(error))
        middle = len(event_ids) // 2
        _work(lease_id, event_ids[:middle], done)
        _work(lease_id, event_ids[middle:], done)


def _work_together(
    lease_id: UUID, event_ids: Sequence[UUID]
) -> tuple[int, list[Outcome]]:
    """Work events in one transaction; return how many, and what became of them.

    What is over 5,000 pairs or 10 s of judging stays in the inbox.
    """
    with transaction.atomic():
        _hold(lease_id)
        events, pairs = find_pairs(_load(event_ids), limit=MAX_PAIRS)
        judged = judge_all(events, pairs, EventParser(events))
        admit(judged.outcomes)
        store_outcomes(judged.outcomes)
        _settle(judged.event_ids)
        _put_aside(judged.put_aside)
    return len(judged.event_ids), judged.outcomes


def _work_alone(lease_id: UUID, event_id: UUID, done: Done) -> None:
    try:
        done.add(1, _work_apart(lease_id, event_id))
    except SandboxUnavailable:
        _put_aside([event_id])


def _work_apart(lease_id: UUID, event_id: UUID) -> list[Outcome]:
    """Work each trigger of one event under a savepoint, so that one can fail alone."""
    with transaction.atomic():
        _hold(lease_id)
        events, pairs = find_pairs(_load([event_id]))
        hold_admission(pair.trigger.id for pair in pairs if has_flow_control(pair))
        in_key_order = sorted(pairs, key=lambda pair: pair.trigger.id)
        parser = EventParser(events)
        outcomes = [o for pair in in_key_order for o in _work_pair(pair, parser)]
        _settle([event_id])
    return outcomes


def _work_pair(pair: Pair, parser: EventParser) -> list[Outcome]:
    try:
        with transaction.atomic():
            judged = judge_all([pair.event], [pair], parser)
            if judged.put_aside:
                raise SandboxUnavailable
            admit(judged.outcomes)
            store_outcomes(judged.outcomes)
    except SandboxUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - its end is written and logged
        raise_if_nobodys_fault(error)
        trigger, event = pair.trigger.id, pair.event.id
        logger.error(
            "Poison: trigger %s, event %s: %s", trigger, event, describe(error)
        )
        _store_poison(pair, type(error).__name__, describe(error))
        return []
    return judged.outcomes


def _record_poison(lease: Lease) -> None:
    with transaction.atomic():
        _hold(lease.id)
        _, pairs = find_pairs(_load(lease.event_ids))
        for pair in pairs:
            _store_poison(
                pair, "WorkerDied", "Its worker died three times while working it"
            )
        _settle(lease.event_ids)


def _drop(lease: Lease, error: Exception) -> None:
    """Take events out of the inbox whose triggers can't even be found."""
    ids = [str(event_id) for event_id in lease.event_ids]
    logger.error("Dropped %s: %s", ids, describe(error))
    _settle(lease.event_ids)


def _store_poison(pair: Pair, error_type: str, message: str) -> None:
    outcome = Outcome(
        pair=pair,
        executed_at=timezone.now(),
        status=ExecutionStatus.FAILED,
        reason=Reason.POISON,
        error_type=error_type,
        error_message=clean_text(message, limit=10_000),
    )
    store_outcomes([outcome])


def _hold(lease_id: UUID) -> None:
    if not hold_lease(lease_id):
        raise LeaseLost


def _load(event_ids: Sequence[UUID]) -> list[Event]:
    return list(Event.objects.filter(pk__in=event_ids).order_by("pk"))


def _settle(event_ids: Sequence[UUID]) -> None:
    Inbox.objects.filter(pk__in=event_ids).delete()


def _put_aside(event_ids: Sequence[UUID]) -> None:
    """Let events wait among the few that are worked after all others."""
    if event_ids:
        logger.error("%d events wait: their code can't run now", len(event_ids))
        Inbox.objects.filter(pk__in=event_ids, deaths=0).update(deaths=1)
