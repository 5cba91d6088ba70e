from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from agents.services.submit import create_tasks
from agents.services.workers import worker_name
from common.database.sql import insert_rows
from common.fields import dump_json
from executions.models import ExecutionStatus, ExecutionTrace, TriggerExecution
from executions.pipeline.new_execution import NewExecution
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


def store_executions(executions: Sequence[NewExecution]) -> None:
    """Insert executions with their tasks and traces, and count the final ones.

    An execution that waits is counted when it ends. Database errors are not caught.
    """
    now = timezone.now()
    create_tasks([e.task for e in executions if e.task])
    insert_rows(TriggerExecution, _NAMES, [_row(e, now) for e in executions])
    insert_rows(
        ExecutionTrace,
        ("execution", "trace"),
        [(e.id, dump_json(e.trace)) for e in executions if e.trace is not None],
    )
    record_runs([_run(e, now) for e in executions if e.is_final])


def _row(execution: NewExecution, now: datetime) -> tuple[object, ...]:
    event, trigger = execution.pair.event, execution.pair.trigger
    return (
        execution.id,
        trigger.id,
        event.id,
        execution.status.value,
        execution.reason.value if execution.reason else "",
        execution.executed_at,
        _elapsed_ms(execution, now) if execution.is_final else None,
        execution.task.id if execution.task else None,
        execution.error_type,
        execution.error_message,
        trigger.version,
        event.replay_of,
        worker_name(),
        "",
        "",
        1,
    )


def _run(execution: NewExecution, now: datetime) -> Run:
    return Run(
        trigger=execution.pair.trigger,
        is_success=execution.status == ExecutionStatus.SUCCESS,
        is_failure=execution.status == ExecutionStatus.FAILED,
        is_skipped=execution.status == ExecutionStatus.SKIPPED,
        executed_at=execution.executed_at,
        execution_time_ms=_elapsed_ms(execution, now),
    )


def _elapsed_ms(execution: NewExecution, now: datetime) -> int:
    return max(0, round((now - execution.executed_at).total_seconds() * 1000))
