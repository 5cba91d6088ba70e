"""The status of one trigger, and the health of all: runs, failures, backlog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from agents.models import AgentKind
from common.database.sql import database_now
from common.snapshots import SnapshotHolder, find_snapshot_holder
from events.models import Event, Inbox
from executions.models import FAILED_STATUSES, ExecutionStatus, TriggerExecution
from executions.services.outcomes import FAILURES, has_outcome
from triggers.clock import get_clock
from triggers.models import Trigger
from triggers.schedules import occurrences
from triggers.services.lifecycle import TriggerNotFound
from triggers.services.scheduling import SCHEDULE_BACKFILL, jitter_of, schedule_of

NEXT_RUNS = 5
MAX_TASKS_SEARCHED = 100
MAX_COUNTED = 1000
OVERDUE_AFTER = timedelta(seconds=60)
_OF_RUN = (
    "executed_at", "event__type", "event__received_at", "event__scheduled_for",
)  # fmt: skip
_NO_RUN = (
    ExecutionStatus.PENDING,
    ExecutionStatus.SKIPPED,
    ExecutionStatus.CANCELLED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRun:
    scheduled_for: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The newest execution that failed or whose task failed; then `task_id` is set."""

    at: datetime
    type: str
    message: str
    execution_id: UUID
    task_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    trigger: Trigger
    status: str
    last_run: datetime | None
    lateness_seconds: float | None
    next_runs: Sequence[NextRun]
    last_failure: Failure | None
    clock: Mapping[str, object]

    @property
    def workflow_id(self) -> UUID | None:
        """Return the agent's id if the agent is a workflow."""
        agent = self.trigger.agent
        return agent.id if agent.kind == AgentKind.WORKFLOW else None

    @property
    def run_count(self) -> int:
        """Return how many runs were not skipped; waiting and cancelled ones count."""
        stats = self.trigger.stats
        return stats.total_executions - stats.skipped_executions

    @property
    def last_error(self) -> str | None:
        failure = self.last_failure
        if failure is None:
            return None
        return f"{failure.type}: {failure.message}" if failure.type else failure.message


def read_status(*, trigger_id: UUID) -> TriggerState:
    """Return the status of a trigger; raise TriggerNotFound."""
    rows = Trigger.objects.present().select_related("agent", "stats")
    trigger = rows.defer("agent__config").filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    paused_until = trigger.paused_until
    is_paused = paused_until is not None and paused_until > database_now()
    if_active = "paused" if is_paused else "active"
    runs = TriggerExecution.objects.filter(trigger=trigger).exclude(status__in=_NO_RUN)
    last = runs.select_related("event").only(*_OF_RUN).order_by("-executed_at").first()
    failures = filter(None, (_failed_execution(trigger), _failed_task(trigger)))
    return TriggerState(
        trigger=trigger,
        status=if_active if trigger.is_active else "disabled",
        last_run=last.executed_at if last else None,
        lateness_seconds=_lateness(last.event) if last else None,
        next_runs=_next_runs(trigger),
        last_failure=max(failures, key=lambda failure: failure.at, default=None),
        clock=get_clock().get_trigger_status(trigger.id),
    )


def _lateness(event: Event) -> float | None:
    """Return how late the clock was; None for a backfill, which is never late."""
    if event.scheduled_for is None or event.type == SCHEDULE_BACKFILL:
        return None
    late = (event.received_at - event.scheduled_for).total_seconds()
    return round(max(late, 0.0), 3)


def _next_runs(trigger: Trigger) -> list[NextRun]:
    first = trigger.next_scheduled_for
    if first is None:
        return []
    limit = NEXT_RUNS
    if trigger.max_runs is not None:
        limit = max(1, min(limit, trigger.max_runs - trigger.scheduled_runs))
    further = occurrences(schedule_of(trigger), first, limit=limit - 1)
    jitter = jitter_of(trigger)
    return [NextRun(scheduled_for=at, due_at=at + jitter) for at in (first, *further)]


def _failed_execution(trigger: Trigger) -> Failure | None:
    failed = TriggerExecution.objects.filter(
        trigger=trigger, status__in=FAILED_STATUSES
    )
    execution = failed.order_by("-executed_at").first()
    if execution is None:
        return None
    return Failure(
        at=execution.executed_at,
        type=execution.error_type or execution.status,
        message=execution.error_message,
        execution_id=execution.pk,
        task_id=None,
    )


def _failed_task(trigger: Trigger) -> Failure | None:
    """Search the tasks of the newest executions only: a trigger may have many."""
    runs = TriggerExecution.objects.filter(trigger=trigger).exclude(
        status=ExecutionStatus.SKIPPED
    )
    newest = runs.order_by("-executed_at").values("pk")[:MAX_TASKS_SEARCHED]
    failed = TriggerExecution.objects.filter(
        has_outcome(*FAILURES), pk__in=newest, task__isnull=False
    )
    rows = failed.select_related("task").order_by("-executed_at")
    execution = rows.defer("task__parameters", "task__metadata", "task__result").first()
    if execution is None or execution.task is None:
        return None
    return Failure(
        at=execution.task.finished_at or execution.executed_at,
        type=execution.task.status,
        message=execution.task.error,
        execution_id=execution.pk,
        task_id=execution.task.pk,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the clock is running, and the backlog; counting stops at 1,000.

    `snapshot_holder` is a session or slot that slows the database down, if any.
    """

    is_healthy: bool
    clock: str
    overdue_triggers: int
    waiting_events: int
    snapshot_holder: SnapshotHolder | None

    @property
    def status(self) -> str:
        return "healthy" if self.is_healthy else "unhealthy"


def check_health() -> Health:
    overdue = Trigger.objects.due(database_now() - OVERDUE_AFTER)
    return Health(
        is_healthy=get_clock().is_healthy(),
        clock=settings.TICKHOOK_CLOCK,
        overdue_triggers=overdue.order_by("next_run_time")[:MAX_COUNTED].count(),
        waiting_events=Inbox.objects.order_by("pk")[:MAX_COUNTED].count(),
        snapshot_holder=find_snapshot_holder(),
    )
