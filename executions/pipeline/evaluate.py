"""Evaluates the conditions of each (trigger, event) of a batch."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from conditions.document import Document
from conditions.engine import CompiledCondition, EvaluationOutcome, compile_condition
from events.models import Event
from executions.models import ExecutionStatus, Reason
from executions.pipeline.match import (
    Pair,
    find_misfires,
    options_of,
    reason_to_skip,
)
from executions.pipeline.parameters import (
    SharedValues,
    build_task,
    document_for,
    shared_values,
)
from executions.pipeline.parse import Body, EventParser, read_bodies
from executions.pipeline.poison import format_stack
from executions.pipeline.store import NewExecution
from senders.sandbox import SandboxUnavailable
from triggers.models import ConditionErrorPolicy, Trigger

logger = logging.getLogger(__name__)

# PostgreSQL ends a transaction that is idle for 30 s.
MAX_SECONDS = 10.0
MAX_COMPILED = 10_000

_compiled: dict[tuple[UUID, int], CompiledCondition] = {}


@dataclass(slots=True)
class Evaluated:
    """The events that were evaluated, their executions, and the events to defer."""

    event_ids: list[UUID] = field(default_factory=list)
    executions: list[NewExecution] = field(default_factory=list)
    deferred: list[UUID] = field(default_factory=list)


def evaluate_events(
    events: Sequence[Event], pairs: Sequence[Pair], parser: EventParser
) -> Evaluated:
    """Evaluate one event after the other, at least one, until the time is up.

    An event is deferred if the code of its webhook type cannot run now. The pairs of an
    erased event are cancelled: nothing is left to evaluate.
    """
    bodies, missed = read_bodies(events), find_misfires(pairs)
    by_event: dict[UUID, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_event[pair.event.id].append(pair)
    evaluated = Evaluated()
    deadline = time.monotonic() + MAX_SECONDS
    for event in events:
        if evaluated.event_ids and time.monotonic() > deadline:
            break
        if event.erased_at is not None:
            evaluated.executions += [_cancelled(pair) for pair in by_event[event.id]]
            evaluated.event_ids.append(event.id)
            continue
        try:
            if pairs := by_event[event.id]:  # else no reason to run the type's code
                body, is_missed = bodies[event.id], event.id in missed
                shared = shared_values(event, body, parser.parse(event, body))
                evaluated.executions += [
                    evaluate_pair(pair, body, shared, is_missed=is_missed)
                    for pair in pairs
                ]
        except SandboxUnavailable:
            evaluated.deferred.append(event.id)
        else:
            evaluated.event_ids.append(event.id)
    return evaluated


def _cancelled(pair: Pair) -> NewExecution:
    execution = NewExecution(
        pair=pair, executed_at=timezone.now(), status=ExecutionStatus.SUCCESS
    )
    execution.cancel(Reason.BY_PERSON)
    return execution


def evaluate_pair(
    pair: Pair, body: Body, shared: SharedValues, *, is_missed: bool = False
) -> NewExecution:
    """Return the execution of a pair; it is `failed` if the evaluation raises.

    Raises SoftTimeLimitExceeded and nothing else.
    """
    execution = NewExecution(
        pair=pair, executed_at=timezone.now(), status=ExecutionStatus.SUCCESS
    )
    reason = reason_to_skip(pair, is_missed=is_missed)
    reason = reason or _reason_of_delivery(pair, shared)
    if reason is not None:
        execution.skip(reason)
        return execution
    try:
        document = document_for(pair.trigger, pair.event, shared)
        if _conditions_allow(execution, document):
            execution.task = build_task(execution, document, body, shared)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001 - no other pair may suffer from it
        logger.error(
            "Evaluation failed: trigger %s, event %s: %s",
            pair.trigger.id,
            pair.event.id,
            format_stack(error),
        )
        execution.fail(
            Reason.ERROR, error_type=type(error).__name__, message=format_stack(error)
        )
    return execution


def _reason_of_delivery(pair: Pair, shared: SharedValues) -> Reason | None:
    """Return why a delivery must not start a trigger.

    The filter is that of the endpoint; event triggers have patterns of their own.
    """
    if shared.is_filtered and pair.trigger.endpoint_id == pair.event.endpoint_id:
        return Reason.FILTERED
    return None if shared.is_valid_delivery else Reason.INVALID_DELIVERY


def _conditions_allow(execution: NewExecution, document: Document) -> bool:
    """Return whether a task may be created; if not, end the execution."""
    pair = execution.pair
    if not pair.trigger.conditions or options_of(pair.event).get("skip_conditions"):
        return True
    evaluation = _condition_of(pair.trigger).evaluate(document)
    execution.trace = evaluation.trace
    if evaluation.outcome == EvaluationOutcome.MET:
        return True
    if evaluation.outcome == EvaluationOutcome.NOT_MET:
        execution.skip(Reason.CONDITIONS_NOT_MET)
        return False
    match pair.trigger.on_condition_error:
        case ConditionErrorPolicy.MATCH:
            return True
        case ConditionErrorPolicy.SKIP:
            execution.skip(Reason.CONDITION_ERROR)
        case _:
            execution.fail(
                Reason.CONDITION_ERROR,
                error_type="ConditionError",
                message="The conditions could not be evaluated. The trace shows where",
            )
    return False


def _condition_of(trigger: Trigger) -> CompiledCondition:
    """Compile a trigger's conditions once per version."""
    key = (trigger.id, trigger.version)
    compiled = _compiled.get(key)
    if compiled is None:
        if len(_compiled) >= MAX_COMPILED:
            _compiled.clear()
        compiled = _compiled[key] = compile_condition(trigger.conditions)
    return compiled
