from __future__ import annotations

from django.db import models

from common.fields import RawJSONField
from common.ids import uuid7
from webhooks.models.endpoint import WebhookEndpoint


class Rejection(models.Model):
    """A request that a known endpoint refused, and why. Sampled and bounded.

    A duplicate is one, too, by the cause `duplicate`; `event_id` is the event that it
    repeats. `body_size` is that of the whole body, where it is known.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="rejections"
    )
    cause = models.CharField(max_length=50)
    status = models.PositiveSmallIntegerField()
    detail = models.TextField(default="", blank=True)
    method = models.CharField(max_length=10)
    remote_address = models.GenericIPAddressField(null=True)
    delivery_id = models.CharField(max_length=255, default="", blank=True)
    headers = RawJSONField(default=dict)
    body = models.BinaryField(default=bytes)
    body_size = models.PositiveIntegerField(null=True)
    event_id = models.UUIDField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("endpoint", "id"), name="rejection_endpoint"),)

    def __str__(self) -> str:
        return f"{self.cause} {self.id}"


class RejectionCount(models.Model):
    """How many requests an endpoint refused for one cause in one hour, exactly."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="rejection_counts"
    )
    cause = models.CharField(max_length=50)
    hour = models.DateTimeField()
    count = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("-hour", "cause")
        constraints = (
            models.UniqueConstraint(
                fields=("endpoint", "cause", "hour"),
                name="webhook_rejection_count_unique",
            ),
        )

    def __str__(self) -> str:
        return f"{self.count} {self.cause}"
