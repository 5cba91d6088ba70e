from __future__ import annotations

from django.db import models

from common.fields import RawJSONField
from webhooks.models.endpoint import WebhookEndpoint


class Outcome(models.TextChoices):
    """What became of a delivery at the door."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class DeliveryManager(models.Manager["Delivery"]):
    """Of the events, only those that came by webhook are deliveries.

    The view can't say so itself: a WHERE in it would cost the use of its indexes.
    """

    def get_queryset(self) -> models.QuerySet[Delivery]:
        return super().get_queryset().filter(source="webhook")


class Delivery(models.Model):
    """One attempt by a sender to deliver: a row of a view over events and rejections.

    What was accepted has the id of its event; `replay_of` names the event that a
    person had delivered again. `request` is kept of what was accepted, `headers` and
    the first bytes of the body of what was not.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.TextField()
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        related_name="+",
    )
    outcome = models.TextField(choices=Outcome.choices)
    cause = models.TextField()
    status = models.SmallIntegerField(null=True)
    detail = models.TextField()
    event_type = models.TextField()
    delivery_id = models.TextField()
    event_id = models.UUIDField(null=True)
    replay_of = models.UUIDField(null=True)
    received_at = models.DateTimeField()
    content_type = models.TextField()
    body_size = models.IntegerField(null=True)
    method = models.TextField()
    remote_address = models.TextField()
    request = RawJSONField(null=True)
    headers = RawJSONField(null=True)
    body = models.BinaryField()

    objects = DeliveryManager()

    class Meta:
        managed = False
        ordering = ("-id",)
        default_permissions = ("view", "change")
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.cause or self.event_type} {self.id}"
