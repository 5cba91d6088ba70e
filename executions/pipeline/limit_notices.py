"""Announces that a trigger reached its hourly limit, once per trigger and hour."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from uuid import UUID

from django.db import transaction

from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, dedupe_key, record_events
from executions.models import Reason
from executions.pipeline.store import NewExecution

logger = logging.getLogger(__name__)

RATE_LIMITED = "trigger.rate_limited"


def announce_limits(executions: Iterable[NewExecution]) -> None:
    """Emit `trigger.rate_limited` for the first event that a trigger skips in an hour.

    Hours are those of UTC. The event is caused by the skipped one, so a trigger that it
    starts can continue a chain of events only up to the maximum depth. Called in the
    transaction that stores the executions; the log line is written after it.
    """
    first: dict[UUID, NewExecution] = {}
    for execution in executions:
        if execution.reason == Reason.RATE_LIMITED:
            first.setdefault(execution.pair.trigger.id, execution)
    events = {trigger_id: _event(execution) for trigger_id, execution in first.items()}
    recorded = record_events(list(events.values()))
    for trigger_id, event in events.items():
        if event.id in recorded:
            log = partial(_log, first[trigger_id])
            transaction.on_commit(log, robust=True)


def _event(execution: NewExecution) -> NewEvent:
    trigger, skipped = execution.pair.trigger, execution.pair.event
    hour = execution.executed_at.strftime("%Y-%m-%dT%H:00:00Z")
    payload = {
        "trigger_id": str(trigger.id),
        "name": trigger.name,
        "limit": trigger.max_executions_per_hour,
        "event_id": str(skipped.id),
        "hour": hour,
    }
    return NewEvent(
        type=RATE_LIMITED,
        source=EventSource.INTERNAL,
        body=dump_json(payload).encode(),
        cause_id=skipped.id,
        depth=skipped.depth + 1,
        correlation_id=skipped.correlation_id,
        dedupe_key=dedupe_key(
            EventSource.INTERNAL, trigger.id, f"{RATE_LIMITED} {hour}"
        ),
    )


def _log(execution: NewExecution) -> None:
    trigger = execution.pair.trigger
    logger.warning(
        "Trigger %s reached its limit of %s executions per hour at %s: event %s and "
        "those after it are skipped as rate_limited",
        trigger.id,
        trigger.max_executions_per_hour,
        execution.executed_at.isoformat(),
        execution.pair.event.id,
    )
