"""Judges one (trigger, event): guard, conditions, parameters."""

from __future__ import annotations

import logging
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from agents.services.create import NewTask
from common.errors import clean_text
from common.fields import dump_json
from conditions.document import Document
from conditions.engine import compile_condition
from conditions.outcomes import CompiledCondition, Evaluation
from conditions.outcomes import Outcome as Verdict
from executions.models import ExecutionStatus
from executions.pipeline.bodies import Body
from executions.pipeline.document import (
    SharedPart,
    document_for,
    iso,
    schedule_values,
)
from executions.pipeline.faults import stack_of
from executions.pipeline.matching import (
    BACKFILL,
    Pair,
    is_asked_for,
    was_active,
)
from executions.pipeline.outcome import Outcome, Reason
from executions.pipeline.parameters import build_parameters, options_of
from triggers.models import ConditionErrorPolicy, Trigger

logger = logging.getLogger(__name__)

MAX_DEPTH = 8
MAX_COMPILED = 10_000

_compiled: dict[tuple[UUID, int], CompiledCondition] = {}


def judge(
    pair: Pair, body: Body, shared: SharedPart, *, is_missed: bool = False
) -> Outcome:
    """Return what is to become of a pair: a fault in judging is an outcome, too.

    Raises SoftTimeLimitExceeded and nothing else.
    """
    outcome = Outcome(
        pair=pair, executed_at=timezone.now(), status=ExecutionStatus.SUCCESS
    )
    reason = _refusal(pair, is_missed=is_missed)
    if reason is None and not shared.is_valid_delivery:
        reason = Reason.INVALID_DELIVERY
    if reason is not None:
        outcome.skip(reason)
        return outcome
    try:
        _decide(outcome, body, shared)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001 - one pair's fault is no other's
        logger.error(
            "Judging failed: trigger %s, event %s: %s",
            pair.trigger.id,
            pair.event.id,
            stack_of(error),
        )
        _fail(outcome, Reason.ERROR, type(error).__name__, stack_of(error))
    return outcome


def _refusal(pair: Pair, *, is_missed: bool) -> Reason | None:
    trigger, event = pair.trigger, pair.event
    if event.type == "schedule.missed":
        return Reason.MISSED
    if not is_asked_for(event):
        if not was_active(trigger, event):
            return Reason.INACTIVE
        if trigger.is_paused(event.received_at):
            return Reason.PAUSED
    if is_missed:
        return Reason.MISSED
    if not trigger.agent.is_active:
        return Reason.AGENT_INACTIVE
    if event.depth > MAX_DEPTH:
        return Reason.LOOP
    return None


def _decide(outcome: Outcome, body: Body, shared: SharedPart) -> None:
    pair = outcome.pair
    document = document_for(pair.trigger, pair.event, shared)
    if not _conditions_allow(outcome, document):
        return
    outcome.task = NewTask(
        agent_id=pair.trigger.agent_id,
        idempotency_key=outcome.execution_id,
        task_type=pair.trigger.task_type,
        title=clean_text(f"{pair.trigger.name}: {pair.event.type}", limit=255),
        parameters=build_parameters(pair, document, body),
        metadata=dump_json(_metadata(outcome)),
        concurrency_key=pair.trigger.id,
    )


def _conditions_allow(outcome: Outcome, document: Document) -> bool:
    trigger = outcome.pair.trigger
    if not trigger.conditions or options_of(outcome.pair.event).get("skip_conditions"):
        return True
    evaluation = _condition_of(trigger).evaluate(document)
    outcome.trace = evaluation.trace
    if evaluation.outcome == Verdict.NOT_MET:
        outcome.skip(Reason.CONDITIONS_NOT_MET)
    elif evaluation.outcome == Verdict.ERROR:
        return _allow_after_error(outcome, evaluation)
    return evaluation.outcome == Verdict.MET


def _allow_after_error(outcome: Outcome, evaluation: Evaluation) -> bool:
    match outcome.pair.trigger.on_condition_error:
        case ConditionErrorPolicy.MATCH:
            return True
        case ConditionErrorPolicy.SKIP:
            outcome.skip(Reason.CONDITION_ERROR)
        case _:
            text = "The conditions could not be judged; the trace says where"
            _fail(outcome, Reason.CONDITION_ERROR, "ConditionError", text)
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


def _metadata(outcome: Outcome) -> dict[str, object]:
    trigger, event = outcome.pair.trigger, outcome.pair.event
    return {
        "trigger_id": str(trigger.id),
        "trigger_name": trigger.name,
        "trigger_version": trigger.version,
        "execution_id": str(outcome.execution_id),
        "event_id": str(event.id),
        "correlation_id": str(event.correlation_id),
        "cause_id": str(event.cause_id) if event.cause_id else None,
        "depth": event.depth,
        "created_at": iso(outcome.executed_at),
        "fired_at": iso(event.received_at),
        "attempt": 1,
        **({"backfill": True} if event.type == BACKFILL else {}),
        **schedule_values(trigger, event),
    }


def _fail(outcome: Outcome, reason: Reason, error_type: str, message: str) -> None:
    outcome.status, outcome.reason, outcome.task = ExecutionStatus.FAILED, reason, None
    outcome.error_type = clean_text(error_type, limit=100)
    outcome.error_message = clean_text(message, limit=10_000)
