from __future__ import annotations

from enum import StrEnum

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agents.models import AgentTask
from common.fields import RawJSONField, Xid8Field
from common.ids import uuid7
from common.wording import time_text
from events.models import Event
from triggers.models import Trigger


class ExecutionStatus(models.TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why an execution has its status; empty where its task was simply created."""

    INACTIVE = "inactive"
    PAUSED = "paused"
    MISSED = "missed"
    AGENT_INACTIVE = "agent_inactive"
    LOOP = "loop"
    FILTERED = "filtered"
    INVALID_DELIVERY = "invalid_delivery"
    CONDITIONS_NOT_MET = "conditions_not_met"
    CONDITION_ERROR = "condition_error"
    OVERLAP = "overlap"
    RATE_LIMITED = "rate_limited"
    ERROR = "error"
    POISON = "poison"
    BY_PERSON = "by_person"


FAILED_STATUSES = (ExecutionStatus.FAILED, ExecutionStatus.TIMEOUT)
OPEN_STATUSES = (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)

# The previous run of the trigger has not ended; the task is stored, but held back.
WAITS_FOR_ITS_TURN = Q(status=ExecutionStatus.PENDING, reason="overlap")


class TriggerExecution(models.Model):
    """The result of one event for one trigger. Each pair has exactly one execution.

    Conditional updates that name the attempt move `pending` and `running` rows; every
    other status is final, with a reason. `subject` is that of the trigger and of the
    event; it is empty where they differ, because then the row concerns both.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    trigger = models.ForeignKey(
        Trigger, on_delete=models.CASCADE, related_name="executions", db_index=False
    )
    event = models.ForeignKey(
        Event,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="executions",
    )
    subject = models.CharField(max_length=255, default="", blank=True, db_default="")
    status = models.CharField(max_length=20, choices=ExecutionStatus.choices)
    reason = models.CharField(max_length=100, default="", blank=True)
    executed_at = models.DateTimeField()
    execution_time_ms = models.PositiveIntegerField(null=True)
    attempt = models.PositiveIntegerField(default=1)
    claimed_by = models.UUIDField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    task = models.OneToOneField(
        AgentTask, on_delete=models.SET_NULL, null=True, related_name="execution"
    )
    error_type = models.CharField(max_length=100, default="", blank=True)
    error_message = models.TextField(default="", blank=True)
    parameters = RawJSONField(null=True)
    worker = models.CharField(max_length=255, default="", blank=True)
    workflow_id = models.CharField(max_length=255, default="", blank=True)
    run_id = models.CharField(max_length=255, default="", blank=True)
    trigger_version = models.PositiveIntegerField()
    replay_of = models.UUIDField(null=True)

    class Meta:
        verbose_name = "history entry"
        verbose_name_plural = "history"
        ordering = ("-executed_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("trigger", "event"), name="execution_trigger_event_unique"
            ),
            models.CheckConstraint(
                condition=Q(status__in=ExecutionStatus.values),
                name="execution_status_valid",
            ),
        )
        indexes = (
            models.Index(fields=("executed_at",), name="execution_executed_at"),
            models.Index(
                fields=("trigger", "executed_at"), name="execution_trigger_executed_at"
            ),
            models.Index(
                fields=("trigger", "executed_at"),
                condition=~Q(status=ExecutionStatus.SKIPPED),
                name="execution_hourly_limit",
            ),
            models.Index(
                fields=("trigger", "executed_at"),
                condition=Q(status__in=FAILED_STATUSES),
                name="execution_failed",
            ),
            models.Index(
                fields=("status", "next_attempt_at"),
                condition=Q(status__in=OPEN_STATUSES),
                name="execution_open",
            ),
            models.Index(
                fields=("trigger", "event"),
                condition=WAITS_FOR_ITS_TURN,
                name="execution_waits_for_its_turn",
            ),
            models.Index(
                fields=("subject", "executed_at"),
                condition=~Q(subject=""),
                name="execution_subject",
            ),
        )
        permissions = (
            ("view_payload", "Can view what senders sent and agents answered"),
        )

    def __str__(self) -> str:
        return f"{self.trigger} · {time_text(self.executed_at)}"


class ExecutionTrace(models.Model):
    """How the conditions of an execution were evaluated. Written once."""

    execution = models.OneToOneField(
        TriggerExecution, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    trace = RawJSONField()

    class Meta:
        verbose_name = "evaluation trace"

    def __str__(self) -> str:
        return str(self.execution)


class DrainLease(models.Model):
    """A worker's claim on a batch of events.

    The row is committed before the batch is processed and deleted after it. The worker
    holds a lock on the row while it processes the batch, and PostgreSQL releases the
    lock when the worker dies. So a lease that another worker can lock is orphaned.
    `txid` is the transaction of the claim: claims read leases from a floor upwards.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    worker = models.CharField(max_length=255)
    event_ids = ArrayField(models.UUIDField())
    created_at = models.DateTimeField()
    txid = Xid8Field(
        db_default=models.Func(function="pg_current_xact_id"), editable=False
    )

    class Meta:
        indexes = (models.Index(fields=("txid",), name="lease_order"),)

    def __str__(self) -> str:
        return f"{len(self.event_ids)} events · {time_text(self.created_at)}"


class Retention(models.Model):
    """The state of the purge of old history: one row, or none before the first purge.

    `upgraded_at` is set where an installation with history was upgraded to the first
    version that purges; its first purge starts some days later. All events since
    `purged_before` are still stored. All bodies up to `bodies_up_to` that were due for
    removal are removed.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    upgraded_at = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)
    purged_before = models.DateTimeField(null=True)
    bodies_up_to = models.UUIDField(null=True)
    daily_at = models.DateTimeField(null=True)
    claimed_by = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="retention_one_row"),
        )

    def __str__(self) -> str:
        return f"purged before {self.purged_before}"
