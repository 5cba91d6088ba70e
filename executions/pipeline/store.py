from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from agents.services.create import create_tasks
from agents.services.heartbeat import worker_name
from common.database.sql import insert_rows
from common.fields import dump_json
from executions.models import ExecutionStatus, ExecutionTrace, TriggerExecution
from executions.pipeline.outcome import Outcome
from triggers.services.stats import Run, record_runs

_NAMES = (
    "id",
    "trigger",
    "event",
    "status",
    "reason",
    "executed_at",
    "execution_time_ms",
    "task",
    "error_type",
    "error_message",
    "trigger_version",
    "replay_of",
    "worker",
    "workflow_id",
    "run_id",
    "attempt",
)


def store_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Write executions, tasks, traces and numbers; raises what the database raises.

    What still waits is counted when it ends.
    """
    now = timezone.now()
    create_tasks([outcome.task for outcome in outcomes if outcome.task])
    insert_rows(TriggerExecution, _NAMES, [_row(outcome, now) for outcome in outcomes])
    insert_rows(
        ExecutionTrace,
        ("execution", "trace"),
        [(o.execution_id, dump_json(o.trace)) for o in outcomes if o.trace is not None],
    )
    record_runs([_run(outcome, now) for outcome in outcomes if outcome.is_final])


def _row(outcome: Outcome, now: datetime) -> tuple[object, ...]:
    event, trigger = outcome.pair.event, outcome.pair.trigger
    return (
        outcome.execution_id,
        trigger.id,
        event.id,
        outcome.status.value,
        outcome.reason.value if outcome.reason else "",
        outcome.executed_at,
        _elapsed_ms(outcome, now) if outcome.is_final else None,
        outcome.task.id if outcome.task else None,
        outcome.error_type,
        outcome.error_message,
        trigger.version,
        event.replay_of,
        worker_name(),
        "",
        "",
        1,
    )


def _run(outcome: Outcome, now: datetime) -> Run:
    return Run(
        trigger=outcome.pair.trigger,
        is_success=outcome.status == ExecutionStatus.SUCCESS,
        is_failure=outcome.status == ExecutionStatus.FAILED,
        is_skipped=outcome.status == ExecutionStatus.SKIPPED,
        executed_at=outcome.executed_at,
        execution_time_ms=_elapsed_ms(outcome, now),
    )


def _elapsed_ms(outcome: Outcome, now: datetime) -> int:
    return max(0, round((now - outcome.executed_at).total_seconds() * 1000))
