"""Executions that are about to be stored, and their bulk insert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from agents.services.submit import NewTask, create_tasks
from agents.services.workers import worker_name
from common.database.sql import insert_rows
from common.errors import clean_text
from common.fields import dump_json
from common.ids import derived_uuid7
from events.models import EventSource
from executions.models import (
    OPEN_STATUSES,
    ExecutionStatus,
    ExecutionTrace,
    Reason,
    TriggerExecution,
)
from executions.pipeline.match import Pair
from triggers.services.stats import Run, record_runs

_DATA_ERRORS = frozenset({Reason.CONDITION_ERROR, Reason.POISON})
_NAMES = (
    "id",
    "trigger",
    "event",
    "subject",
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


@dataclass(slots=True, kw_only=True)
class NewExecution:
    """An execution that is about to be stored.

    Its id is derived from the pair: a pair that is processed again has the same id.
    """

    pair: Pair
    executed_at: datetime
    status: ExecutionStatus
    reason: Reason | None = None
    task: NewTask | None = None
    trace: Mapping[str, object] | None = None
    error_type: str = ""
    error_message: str = ""
    id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.id = derived_uuid7(self.pair.event.id, by=self.pair.trigger.id)

    @property
    def subject(self) -> str:
        """Return the subject of trigger and event; empty if they differ.

        It is also empty for an erased event, which will lose its subject.
        """
        subject, event = self.pair.trigger.subject, self.pair.event
        is_shared = subject == event.subject and event.erased_at is None
        return subject if is_shared else ""

    @property
    def is_final(self) -> bool:
        return self.status not in OPEN_STATUSES

    def skip(self, reason: Reason) -> None:
        self.status, self.reason, self.task = ExecutionStatus.SKIPPED, reason, None

    def fail(self, reason: Reason, *, error_type: str, message: str) -> None:
        self.status, self.reason, self.task = ExecutionStatus.FAILED, reason, None
        self.error_type = clean_text(error_type, limit=100)
        self.error_message = clean_text(message, limit=10_000)

    def hold(self) -> None:
        """Hold the task back until the previous run of the trigger has ended."""
        assert self.task is not None  # noqa: S101 - only runs with a task are admitted
        self.status, self.reason = ExecutionStatus.PENDING, Reason.OVERLAP
        self.task = replace(self.task, is_held=True)

    def cancel(self, reason: Reason) -> None:
        """Drop the task, because a later run or a person has cancelled this one."""
        self.status, self.reason, self.task = ExecutionStatus.CANCELLED, reason, None


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
        execution.subject,
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
    # Only the events of schedules carry nothing from outside.
    may_be_data = execution.pair.event.source != EventSource.SCHEDULE
    is_error = execution.reason == Reason.ERROR
    return Run(
        trigger=execution.pair.trigger,
        is_success=execution.status == ExecutionStatus.SUCCESS,
        is_failure=execution.status == ExecutionStatus.FAILED,
        is_skipped=execution.status == ExecutionStatus.SKIPPED,
        executed_at=execution.executed_at,
        execution_time_ms=_elapsed_ms(execution, now),
        is_data_error=may_be_data if is_error else execution.reason in _DATA_ERRORS,
    )


def _elapsed_ms(execution: NewExecution, now: datetime) -> int:
    return max(0, round((now - execution.executed_at).total_seconds() * 1000))
