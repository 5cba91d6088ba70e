from __future__ import annotations

from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import Q

from common.fields import RawJSONField, Xid8Field
from common.ids import uuid7
from common.wording import time_text


class EventSource(models.TextChoices):
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    EMIT = "emit"
    MANUAL = "manual"
    INTERNAL = "internal"


class EventType(models.Model):
    """A kind of domain event that may be emitted: an entry of the catalogue."""

    name = models.CharField(primary_key=True, max_length=200)
    title = models.CharField(max_length=200, blank=True, default="")
    description = models.TextField(blank=True, default="")
    category = models.CharField(max_length=100, default="other")
    payload_schema = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One thing that happened. The pipeline never updates an event.

    `endpoint_id` (where it arrived) and `trigger_id` (its target) are plain ids: this
    app knows no upper app, and history outlives the rows it names. `body` is stored
    byte for byte; a replay has none, and readers follow its `replay_of`. Retention
    removes old bodies, which are then shorter than `body_size`. An event with
    `erased_at` is what remains of one whose subject was erased.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    type = models.CharField(max_length=200)
    source = models.CharField(max_length=20, choices=EventSource.choices)
    subject = models.CharField(max_length=255, default="", blank=True)
    body = models.BinaryField()
    body_size = models.PositiveIntegerField()
    content_type = models.CharField(max_length=255, default="", blank=True)
    request = RawJSONField(null=True)
    options = RawJSONField(null=True)
    endpoint_id = models.UUIDField(null=True)
    trigger_id = models.UUIDField(null=True)
    delivery_id = models.CharField(max_length=255, default="", blank=True)
    scheduled_for = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    correlation_id = models.UUIDField()
    cause_id = models.UUIDField(null=True)
    depth = models.PositiveSmallIntegerField(default=0)
    replay_of = models.UUIDField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(source__in=EventSource.values), name="event_source_valid"
            ),
        )
        indexes = (
            models.Index(
                fields=("endpoint_id", "id"),
                condition=Q(endpoint_id__isnull=False),
                name="event_endpoint",
            ),
            models.Index(
                fields=("trigger_id", "id"),
                condition=Q(trigger_id__isnull=False),
                name="event_trigger",
            ),
            models.Index(
                fields=("trigger_id", "scheduled_for"),
                condition=Q(scheduled_for__isnull=False),
                name="event_scheduled",
            ),
            models.Index(
                fields=("trigger_id", "received_at"),
                condition=Q(type="schedule.missed"),
                name="event_missed",
            ),
            HashIndex(
                fields=("delivery_id",),
                condition=~Q(delivery_id=""),
                name="event_delivery",
            ),
            models.Index(
                fields=("replay_of",),
                condition=Q(replay_of__isnull=False),
                name="event_replays",
            ),
            models.Index(
                fields=("subject", "id"), condition=~Q(subject=""), name="event_subject"
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} · {time_text(self.received_at)}"


class EventKey(models.Model):
    """A dedupe key and the first event that was recorded under it.

    It is a separate table because a unique constraint on Event, other than its id,
    would rule out partitions by time, and because keys are kept for a shorter time than
    events. The event can be deleted while its key exists, so `event_id` is a plain id.
    """

    dedupe_key = models.UUIDField(primary_key=True, editable=False)
    event_id = models.UUIDField()

    def __str__(self) -> str:
        return str(self.dedupe_key)


class Inbox(models.Model):
    """An event to be processed; deleted by the batch that commits its executions.

    `deaths` counts the workers that died while they processed it; it never decreases.
    It is also set to one for a deferred event, which then waits behind all others.
    `txid` is the transaction that queued the event: claims read rows in this order,
    from a floor upwards.
    """

    event = models.OneToOneField(
        Event, primary_key=True, on_delete=models.CASCADE, db_constraint=False
    )
    deaths = models.PositiveSmallIntegerField(default=0)
    body_size = models.IntegerField(db_default=0)
    txid = Xid8Field(
        db_default=models.Func(function="pg_current_xact_id"), editable=False
    )

    class Meta:
        verbose_name = "waiting event"
        verbose_name_plural = "inbox"
        indexes = (
            models.Index(
                fields=("event",), condition=Q(deaths__gt=0), name="inbox_suspects"
            ),
            models.Index(
                fields=("txid", "event"), condition=Q(deaths=0), name="inbox_order"
            ),
        )

    def __str__(self) -> str:
        return str(self.event)
