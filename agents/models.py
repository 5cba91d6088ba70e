from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import Error, models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.db.models.lookups import Exact

from access.audit.records import AuditRecords
from access.ownership import Owned
from common.database.errors import drop_connection, is_unavailable
from common.fields import EncryptedJSONField, RawJSONField
from common.ids import uuid7
from common.wording import time_text


class AgentKind(models.TextChoices):
    AGENT = "agent"
    WORKFLOW = "workflow"


class TaskStatus(models.TextChoices):
    PENDING = "pending"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


OPEN_TASK_STATUSES = (TaskStatus.PENDING, TaskStatus.SUBMITTED, TaskStatus.RUNNING)
FINAL_TASK_STATUSES = (
    TaskStatus.SUCCEEDED,
    TaskStatus.FAILED,
    TaskStatus.TIMEOUT,
    TaskStatus.CANCELLED,
)


class Agent(Owned):
    """A program that runs the tasks of triggers, and the backend that submits them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255)
    kind = models.CharField(
        max_length=20, choices=AgentKind.choices, default=AgentKind.AGENT
    )
    is_active = models.BooleanField(default=True)
    backend = models.CharField(max_length=50)
    config = EncryptedJSONField(default=dict, blank=True)
    parameters_schema = models.JSONField(default=dict, blank=True)
    task_timeout_seconds = models.PositiveIntegerField(default=3600)
    groups = models.ManyToManyField(Group, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    history = AuditRecords(
        kind="agent",
        excluded=("created_at", "updated_at", "owner_lost_at"),
        secrets=("config",),
        relations={
            "groups": ("groups__name",),
            "owner_groups": ("owner_groups__name",),
        },
    )

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("name",), name="agent_name_unique"),
            models.CheckConstraint(
                condition=Q(kind__in=AgentKind.values), name="agent_kind_valid"
            ),
            models.CheckConstraint(
                condition=Q(task_timeout_seconds__gt=0), name="agent_timeout_positive"
            ),
        )

    def __str__(self) -> str:
        return self.name


class AgentTask(models.Model):
    """One unit of an agent's work. Its idempotency key prevents a duplicate.

    Tasks of one `concurrency_key` exclude each other; their creator chooses the key. A
    held task (`pending`, with no next attempt) waits for its release and excludes no
    other task. `subject` is that of its trigger when the task was created.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="tasks")
    task_type = models.CharField(max_length=100, default="", blank=True)
    title = models.CharField(max_length=255, default="", blank=True)
    subject = models.CharField(max_length=255, default="", blank=True, db_default="")
    parameters = RawJSONField(default=dict)
    metadata = RawJSONField(default=dict)
    status = models.CharField(
        max_length=20, choices=TaskStatus.choices, default=TaskStatus.PENDING
    )
    result = RawJSONField(null=True)
    error = models.TextField(default="", blank=True)
    external_id = models.CharField(max_length=255, default="", blank=True)
    workflow_id = models.CharField(max_length=255, default="", blank=True)
    run_id = models.CharField(max_length=255, default="", blank=True)
    idempotency_key = models.UUIDField()
    concurrency_key = models.UUIDField(null=True)
    claimed_by = models.UUIDField(null=True)
    attempt = models.PositiveIntegerField(default=1)
    publications = models.PositiveIntegerField(default=0)
    # Messages of this attempt that left their queue and that no worker claimed.
    lost_messages = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True)
    # Workers take the waiting tasks of an agent in this order (agents.services.turns).
    turn_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "task"
        constraints = (
            models.UniqueConstraint(
                fields=("idempotency_key",), name="agent_task_idempotency_key_unique"
            ),
            models.CheckConstraint(
                condition=Q(status__in=TaskStatus.values),
                name="agent_task_status_valid",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(status__in=(TaskStatus.PENDING, TaskStatus.SUBMITTED)),
                name="agent_task_to_submit",
            ),
            models.Index(
                fields=("claimed_by", "deadline_at"),
                condition=Q(status=TaskStatus.RUNNING),
                name="agent_task_running_until",
            ),
            models.Index(
                fields=("concurrency_key",),
                condition=Q(
                    status__in=OPEN_TASK_STATUSES, next_attempt_at__isnull=False
                ),
                name="agent_task_busy",
            ),
            # By `lower`, because a query with a plain status may use the index of tasks
            # to submit, which the planner expects to be nearly empty, and read it all.
            models.Index(
                fields=("agent", "turn_at", "id"),
                condition=Q(Exact(Lower("status"), TaskStatus.SUBMITTED)),
                name="agent_task_waiting",
            ),
            models.Index(
                fields=("subject", "id"),
                condition=~Q(subject=""),
                name="agent_task_subject",
            ),
        )

    def __str__(self) -> str:
        return self.title or f"{self.task_type} · {time_text(self.created_at)}"

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_TASK_STATUSES

    def is_cancelled(self) -> bool:
        """Return whether the task was cancelled since this object was loaded.

        The result of a cancelled task is discarded. While the database is unavailable,
        this returns False, so that an agent which polls it continues.
        """
        stored = AgentTask.objects.filter(pk=self.pk, status=TaskStatus.CANCELLED)
        try:
            return stored.exists()
        except Error as error:
            if not is_unavailable(error):
                raise
            drop_connection()
            return False


class Worker(models.Model):
    """One worker process; after 20 s without a heartbeat, its tasks are resubmitted."""

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.CharField(max_length=255)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("seen_at",), name="worker_seen_at"),)

    def __str__(self) -> str:
        return self.name


class Turn(models.Model):
    """Which worker process does work that one process does for the installation.

    The holder may do it again at `next_at`. Another process takes the turn if the
    holder, dead or frozen, has not done the work some seconds after that.
    """

    name = models.CharField(max_length=50, primary_key=True)
    holder = models.UUIDField()
    next_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class HintSlot(models.Model):
    """One of the few hints of an agent that are in the broker and not yet begun.

    A hint is a Celery message that asks a worker process to run waiting tasks.
    """

    pk = models.CompositePrimaryKey("agent_id", "period", "slot")
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    period = models.PositiveIntegerField()
    slot = models.PositiveSmallIntegerField()
    sent_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"hint {self.slot}"


class HintedTask(models.Model):
    """A Celery task that reads hints, and a queue whose workers run it."""

    pk = models.CompositePrimaryKey("queue", "name")
    queue = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
