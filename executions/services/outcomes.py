"""How a run ended: one definition, in Python and in SQL.

An execution that created a task keeps its status `success`, even if the task fails
later. The outcome of its run is that of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import models
from django.db.models import Case, Q, Value, When

from agents.models import TaskStatus
from executions.models import ExecutionStatus


class RunOutcome(models.TextChoices):
    """How a run ended, or that it has not ended: it waits or is running."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


FAILURES = (RunOutcome.FAILED, RunOutcome.TIMEOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statuses:
    """The statuses that mean an outcome.

    `of_task` counts if the execution is a success; None means that it has no task.
    """

    of_execution: tuple[ExecutionStatus, ...] = ()
    of_task: tuple[TaskStatus | None, ...] = ()


_STATUSES: Mapping[RunOutcome, _Statuses] = MappingProxyType(
    {
        RunOutcome.WAITING: _Statuses(
            of_execution=(ExecutionStatus.PENDING,),
            of_task=(TaskStatus.PENDING, TaskStatus.SUBMITTED),
        ),
        RunOutcome.RUNNING: _Statuses(
            of_execution=(ExecutionStatus.RUNNING,), of_task=(TaskStatus.RUNNING,)
        ),
        RunOutcome.SUCCEEDED: _Statuses(of_task=(TaskStatus.SUCCEEDED, None)),
        RunOutcome.FAILED: _Statuses(
            of_execution=(ExecutionStatus.FAILED,), of_task=(TaskStatus.FAILED,)
        ),
        RunOutcome.TIMEOUT: _Statuses(
            of_execution=(ExecutionStatus.TIMEOUT,), of_task=(TaskStatus.TIMEOUT,)
        ),
        RunOutcome.SKIPPED: _Statuses(of_execution=(ExecutionStatus.SKIPPED,)),
        RunOutcome.CANCELLED: _Statuses(
            of_execution=(ExecutionStatus.CANCELLED,), of_task=(TaskStatus.CANCELLED,)
        ),
    }
)
_BY_EXECUTION: Mapping[str, RunOutcome] = {
    status: outcome
    for outcome, statuses in _STATUSES.items()
    for status in statuses.of_execution
}
_BY_TASK: Mapping[str | None, RunOutcome] = {
    status: outcome
    for outcome, statuses in _STATUSES.items()
    for status in statuses.of_task
}


def run_outcome(status: str, task_status: str | None) -> RunOutcome:
    """Return the outcome of an execution with this status, and of its task if any.

    Raise KeyError if a status is unknown.
    """
    if status == ExecutionStatus.SUCCESS:
        return _BY_TASK[task_status]
    return _BY_EXECUTION[status]


def has_outcome(*outcomes: RunOutcome) -> Q:
    """Return a filter of executions by outcome, in a form that indexes can serve."""
    wanted = [_STATUSES[outcome] for outcome in outcomes]
    ended = Q(status__in=[s for statuses in wanted for s in statuses.of_execution])
    of_task = [s for statuses in wanted for s in statuses.of_task]
    if not of_task:
        return ended
    by_task = Q(task__status__in=[s for s in of_task if s is not None])
    if None in of_task:
        by_task |= Q(task=None)
    return ended | Q(by_task, status=ExecutionStatus.SUCCESS)


def outcome_expression() -> Case:
    """Return an expression over executions with the value of `run_outcome`.

    It is for reading and counting; to filter rows, `has_outcome` is faster.
    """
    return Case(
        *(When(has_outcome(outcome), then=Value(outcome)) for outcome in RunOutcome),
        output_field=models.CharField(),
    )
