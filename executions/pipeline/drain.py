"""Processes the events in the inbox, each batch in one transaction.

A batch that raises is bisected until one event is left. Then each trigger of that event
is processed separately, and a trigger that raises is recorded as `failed: poison`.

If the database is unavailable, no event caused the error: the lease is released and the
error raised. If the sandbox is unavailable, or code has taken too much of a batch's
time, the events that need it are deferred: they are retried later in small batches,
which never hold up the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from agents.services.submit import submit_tasks
from events.nudge import nudge, take_nudge
from executions.pipeline.admit import admit, has_flow_control, lock_admission
from executions.pipeline.evaluate import evaluate_events
from executions.pipeline.leases import (
    Lease,
    LeaseLost,
    claim_batch,
    claim_poison,
    claim_suspects,
    closing_lease,
    defer_events,
    has_suspects,
    lock_lease,
    remove_from_inbox,
)
from executions.pipeline.match import Pair, find_pairs, load_events
from executions.pipeline.parse import EventParser
from executions.pipeline.poison import (
    describe_error,
    format_stack,
    raise_if_unrelated,
    record_poison,
    store_poison,
)
from executions.pipeline.store import NewExecution, store_executions
from senders.sandbox import SandboxUnavailable

logger = logging.getLogger(__name__)

MAX_SECONDS = 5.0
MAX_BATCHES = 20
MAX_PAIRS = 5000


def drain() -> int:
    """Process the inbox for at most 5 s or 20 batches; return how many events.

    Any number of workers may drain at once. After each batch come a few events that
    were deferred or whose worker died, so that these never hold up the others.
    """
    take_nudge()
    processed, deadline = 0, time.monotonic() + MAX_SECONDS
    for _ in range(MAX_BATCHES):
        count = _process_next_batch() + _process_next_suspects()
        if not count:
            return processed
        processed += count
        if time.monotonic() > deadline:
            break
    nudge()
    return processed


def _process_next_batch() -> int:
    lease = claim_batch()
    if lease is None:
        return 0
    if lease.is_full:
        nudge()
    return process_lease(lease)


def _process_next_suspects() -> int:
    if not has_suspects():
        return 0
    if lease := claim_suspects():
        return process_lease(lease)
    if lease := claim_poison():
        return record_poison(lease)
    return 0


@dataclass(slots=True)
class _Progress:
    """The part of a lease that has been committed."""

    events: int = 0
    task_ids: list[UUID] = field(default_factory=list)

    def add(self, events: int, executions: Iterable[NewExecution]) -> None:
        self.events += events
        tasks = [e.task for e in executions if e.task]
        self.task_ids += [task.id for task in tasks if not task.is_held]


def process_lease(lease: Lease) -> int:
    """Process the events of a lease; return how many were committed.

    If another worker has reclaimed the lease, the rest is left to that worker.
    """
    progress = _Progress()
    with closing_lease(lease):
        _process_or_bisect(lease.id, lease.event_ids, progress)
    submit_tasks(progress.task_ids)
    return progress.events


def _process_or_bisect(
    lease_id: UUID, event_ids: Sequence[UUID], progress: _Progress
) -> None:
    try:
        progress.add(*_process_batch(lease_id, event_ids))
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - bisected until one event has it
        raise_if_unrelated(error)
        if len(event_ids) == 1:
            logger.warning(
                "Event %s, each trigger separately: %s",
                event_ids[0],
                describe_error(error),
            )
            _process_by_trigger(lease_id, event_ids[0], progress)
            return
        logger.warning("%d events, bisected: %s", len(event_ids), describe_error(error))
        middle = len(event_ids) // 2
        _process_or_bisect(lease_id, event_ids[:middle], progress)
        _process_or_bisect(lease_id, event_ids[middle:], progress)


def _process_batch(
    lease_id: UUID, event_ids: Sequence[UUID]
) -> tuple[int, list[NewExecution]]:
    """Process events in one transaction; return how many, and their executions.

    Events beyond 5,000 pairs or 10 s of evaluation stay in the inbox.
    """
    with transaction.atomic():
        lock_lease(lease_id)
        events, pairs = find_pairs(load_events(event_ids), limit=MAX_PAIRS)
        evaluated = evaluate_events(events, pairs, EventParser(events))
        admit(evaluated.executions)
        store_executions(evaluated.executions)
        remove_from_inbox(evaluated.event_ids)
        defer_events(evaluated.deferred)
    return len(evaluated.event_ids), evaluated.executions


def _process_by_trigger(lease_id: UUID, event_id: UUID, progress: _Progress) -> None:
    """Process each trigger of one event under a savepoint, so that only it can fail."""
    executions: list[NewExecution] = []
    try:
        with transaction.atomic():
            lock_lease(lease_id)
            events, pairs = find_pairs(load_events([event_id]))
            lock_admission(pair.trigger.id for pair in pairs if has_flow_control(pair))
            parser = EventParser(events)
            for pair in sorted(pairs, key=lambda pair: pair.trigger.id):
                executions += _process_pair(pair, parser)
            remove_from_inbox([event_id])
    except SandboxUnavailable:
        defer_events([event_id])
    else:
        progress.add(1, executions)


def _process_pair(pair: Pair, parser: EventParser) -> list[NewExecution]:
    try:
        with transaction.atomic():
            evaluated = evaluate_events([pair.event], [pair], parser)
            if evaluated.deferred:
                raise SandboxUnavailable
            admit(evaluated.executions)
            store_executions(evaluated.executions)
    except SandboxUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - it is logged and stored
        raise_if_unrelated(error)
        text = describe_error(error)
        trigger, event = pair.trigger.id, pair.event.id
        logger.error("Poison: trigger %s, event %s: %s", trigger, event, text)
        stack = format_stack(error)
        store_poison(pair, error_type=type(error).__name__, message=stack)
        return []
    return evaluated.executions
