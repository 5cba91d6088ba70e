from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from access.audit.records import AuditRecords
from access.ownership import Owned
from agents.models import Agent
from common.ids import uuid7
from common.wording import time_text
from webhooks.models import WebhookEndpoint


class TriggerType(models.TextChoices):
    CRON = "cron"
    WEBHOOK = "webhook"
    EVENT = "event"
    MANUAL = "manual"


class ScheduleType(models.TextChoices):
    CRON = "cron"
    INTERVAL = "interval"
    DAILY = "daily"
    WEEKLY = "weekly"
    ONCE = "once"


class ConditionErrorPolicy(models.TextChoices):
    FAIL = "fail"
    SKIP = "skip"
    MATCH = "match"


class DstGap(models.TextChoices):
    AFTER = "after"
    SKIP = "skip"


class DstOverlap(models.TextChoices):
    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


class Catchup(models.TextChoices):
    NONE = "none"
    LATEST = "latest"
    ALL = "all"


class Overlap(models.TextChoices):
    ALLOW = "allow"
    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_PREVIOUS = "cancel_previous"


# What the clock and the services derive from the definition.
CLOCK_COLUMNS = (
    "next_run_time",
    "next_scheduled_for",
    "last_scheduled_for",
    "scheduled_runs",
    "active_since",
)


class OwnerReason(models.TextChoices):
    """Why the check of owners has disabled a trigger; its `disabled_reason`."""

    LOST_ACCESS = "owner_lost_access"
    GONE = "owner_gone"


class TriggerQuerySet(models.QuerySet["Trigger"]):
    def present(self) -> Self:
        """Return the triggers that are not deleted."""
        return self.filter(deleted_at=None)

    def active(self) -> Self:
        return self.present().filter(is_active=True)

    def due(self, now: datetime) -> Self:
        """Return the triggers whose next run is due, by the partial due index."""
        return self.filter(
            is_active=True, next_run_time__isnull=False, next_run_time__lte=now
        )


class Trigger(Owned):
    """A stored definition: when this happens and that holds, run that agent.

    Rows are edited rarely. The clock is the only hot path that updates one: it moves
    `next_run_time` (when the next run is due, with jitter), `next_scheduled_for` (its
    nominal instant) and `last_scheduled_for` (that of the last recorded run).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="triggers")
    trigger_type = models.CharField(max_length=20, choices=TriggerType.choices)
    is_active = models.BooleanField(default=True)
    active_since = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=255, blank=True, default="")

    task_type = models.CharField(max_length=100, blank=True, default="")
    task_parameters = models.JSONField(default=dict, blank=True)
    parameter_mapping = models.JSONField(default=dict, blank=True)
    conditions = models.JSONField(default=dict, blank=True)
    on_condition_error = models.CharField(
        max_length=20,
        choices=ConditionErrorPolicy.choices,
        default=ConditionErrorPolicy.SKIP,
    )

    schedule_type = models.CharField(
        max_length=20,
        choices=ScheduleType.choices,
        null=True,
        blank=True,
    )
    schedule_config = models.JSONField(default=dict, blank=True)
    cron_expression = models.CharField(
        max_length=255,
        null=True,
        blank=True,
    )
    timezone = models.CharField(max_length=100, default="UTC")
    start_at = models.DateTimeField(null=True, blank=True)
    end_at = models.DateTimeField(null=True, blank=True)
    max_runs = models.PositiveIntegerField(null=True, blank=True)
    scheduled_runs = models.PositiveBigIntegerField(default=0)
    jitter_seconds = models.PositiveIntegerField(default=0)
    dst_gap = models.CharField(
        max_length=10, choices=DstGap.choices, default=DstGap.AFTER
    )
    dst_overlap = models.CharField(
        max_length=10, choices=DstOverlap.choices, default=DstOverlap.FIRST
    )
    catchup = models.CharField(
        max_length=10, choices=Catchup.choices, default=Catchup.LATEST
    )
    catchup_window_seconds = models.PositiveIntegerField(default=3600)
    misfire_grace_seconds = models.PositiveIntegerField(default=30)
    overlap = models.CharField(
        max_length=20, choices=Overlap.choices, default=Overlap.ALLOW
    )
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_note = models.CharField(max_length=255, blank=True, default="")
    schedule_anchor = models.DateTimeField()
    next_run_time = models.DateTimeField(null=True, blank=True)
    next_scheduled_for = models.DateTimeField(null=True, blank=True)
    last_scheduled_for = models.DateTimeField(null=True, blank=True)

    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="triggers",
    )
    subject = models.CharField(max_length=255, blank=True, default="")

    timeout_seconds = models.PositiveIntegerField(default=300)
    max_executions_per_hour = models.PositiveIntegerField(null=True, blank=True)
    failure_threshold = models.PositiveIntegerField(default=5)
    count_task_failures = models.BooleanField(default=True)

    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, blank=True, default="")
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = TriggerQuerySet.as_manager()
    history = AuditRecords(
        kind="trigger",
        excluded=(
            *CLOCK_COLUMNS, "schedule_anchor", "created_at", "updated_at", "created_by",
            "owner_lost_at",
        ),
        relations={
            "event_types": ("subscriptions__pattern",),
            "owner_groups": ("owner_groups__name",),
        },
        subject="subject",
        deleted_at="deleted_at",
    )  # fmt: skip

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("name", "subject"),
                condition=Q(deleted_at__isnull=True),
                name="trigger_name_unique",
            ),
            models.CheckConstraint(
                condition=Q(trigger_type__in=TriggerType.values),
                name="trigger_type_valid",
            ),
            models.CheckConstraint(
                condition=~Q(trigger_type=TriggerType.CRON)
                | Q(schedule_type__isnull=False),
                name="trigger_cron_has_schedule",
            ),
            models.CheckConstraint(
                condition=Q(schedule_type__isnull=True)
                | ~Q(schedule_type=ScheduleType.CRON)
                | Q(cron_expression__isnull=False),
                name="trigger_cron_has_expression",
            ),
            models.CheckConstraint(
                condition=~Q(trigger_type=TriggerType.WEBHOOK)
                | Q(endpoint__isnull=False),
                name="trigger_webhook_has_endpoint",
            ),
            models.CheckConstraint(
                condition=Q(failure_threshold__gt=0),
                name="trigger_failure_threshold_positive",
            ),
        )
        indexes = (
            models.Index(
                fields=("trigger_type", "is_active"), name="trigger_type_active"
            ),
            models.Index(
                fields=("next_run_time",),
                condition=Q(is_active=True, next_run_time__isnull=False),
                name="trigger_due",
            ),
            models.Index(
                fields=("subject", "id"),
                condition=~Q(subject=""),
                name="trigger_subject",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def has_schedule(self) -> bool:
        return self.trigger_type == TriggerType.CRON

    @property
    def can_run(self) -> bool:
        """Whether events and schedules can start it: enabled and not deleted."""
        return self.is_active and self.deleted_at is None

    def is_paused(self, at: datetime) -> bool:
        """Return whether the trigger is paused at an instant."""
        return self.paused_until is not None and at < self.paused_until


class TriggerStats(models.Model):
    """The execution counts of a trigger, in a row of their own.

    So no hot path updates the trigger. The sweep adds the `StatsDelta` rows every two
    seconds; only `consecutive_failures` is updated at once.
    """

    trigger = models.OneToOneField(
        Trigger, on_delete=models.CASCADE, primary_key=True, related_name="stats"
    )
    total_executions = models.PositiveBigIntegerField(default=0)
    successful_executions = models.PositiveBigIntegerField(default=0)
    failed_executions = models.PositiveBigIntegerField(default=0)
    skipped_executions = models.PositiveBigIntegerField(default=0)
    execution_time_ms_sum = models.PositiveBigIntegerField(default=0)
    last_execution_at = models.DateTimeField(null=True)
    consecutive_failures = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = verbose_name_plural = "statistics"

    def __str__(self) -> str:
        return str(self.trigger)


class StatsDelta(models.Model):
    """The executions of one batch for one trigger, until the sweep counts them."""

    trigger_id = models.UUIDField()
    total = models.PositiveIntegerField(default=0)
    successful = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    execution_time_ms_sum = models.PositiveBigIntegerField(default=0)
    last_execution_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = verbose_name_plural = "uncounted statistics"

    def __str__(self) -> str:
        return f"{self.total} not yet counted"


class Subscription(models.Model):
    """A pattern of event types that starts a trigger: exact, `a.*`, or `*`.

    Matching looks up the few patterns that an event's type can match, so its cost
    depends on the number of matches only. An empty subject matches every subject.
    """

    trigger = models.ForeignKey(
        Trigger, on_delete=models.CASCADE, related_name="subscriptions"
    )
    pattern = models.CharField(max_length=200)
    subject = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("pattern", "subject", "trigger"), name="subscription_unique"
            ),
        )

    def __str__(self) -> str:
        return self.pattern


class ScheduleVersion(models.Model):
    """A trigger's schedule from `valid_from` to `valid_to` (null for the current one).

    Written with every change, enable, disable and pause, so that the ledger can compute
    for any past range which occurrences should have run. A version has the occurrences
    whose nominal instants are later than `valid_from` and not later than `valid_to`.
    `scheduled_runs` is the number of runs before it began, `last_scheduled_for` the
    last instant that had run when it ended; both are null in versions that older
    releases wrote.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    trigger = models.ForeignKey(
        Trigger, on_delete=models.CASCADE, related_name="schedule_versions"
    )
    is_active = models.BooleanField()
    definition = models.JSONField()
    scheduled_runs = models.PositiveBigIntegerField(null=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)
    last_scheduled_for = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-valid_from",)
        constraints = (
            models.UniqueConstraint(
                fields=("trigger",),
                condition=Q(valid_to__isnull=True),
                name="schedule_version_one_current",
            ),
        )

    def __str__(self) -> str:
        return f"{self.trigger} · {time_text(self.valid_from)}"
