from __future__ import annotations

from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import Q

from common.fields import RawJSONField, Xid8Field
from common.ids import uuid7


class EventSource(models.TextChoices):
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    EMIT = "emit"
    MANUAL = "manual"
    INTERNAL = "internal"


class EventType(models.Model):
    """A kind of domain event that may be emitted, as the catalogue describes it."""

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
    """One thing that happened. Inserted once, never updated by what processes it.

    `endpoint_id` and `trigger_id` (which it came by, or is aimed at) are plain ids:
    the inbox knows no upper app, and history outlives what it names. `body` is kept
    byte for byte; a replay has none of its own and is read through `replay_of`.
    Retention removes old bodies: they are then shorter than `body_size`.
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
        )

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class EventKey(models.Model):
    """A dedupe key and the event that was recorded under it first.

    A table apart from Event: a unique constraint on Event other than its id would rule
    out partitions by time, and keys are kept for a shorter time than events. So the
    event can be gone while its key is known, and `event_id` is a plain id.
    """

    dedupe_key = models.UUIDField(primary_key=True, editable=False)
    event_id = models.UUIDField()

    def __str__(self) -> str:
        return str(self.dedupe_key)


class Inbox(models.Model):
    """An event to be processed; deleted by the batch that commits its executions.

    `deaths` counts the workers that died while they processed it; it never decreases. A
    deferred event has one, too, so that it waits among those, behind all others.
    `txid` is the transaction that queued it: claims read in this order, from a floor.
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
        return str(self.event_id)
