from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models import Q

from common.fields import EncryptedJSONField, RawJSONField
from common.ids import uuid7


def default_methods() -> list[str]:
    return ["POST"]


class WebhookTypeVersion(models.Model):
    """One description of a sender, as it was uploaded. It never changes.

    Its id names the description for good: it is never given to another one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=50)
    version = models.PositiveIntegerField()
    document = RawJSONField()
    created_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("slug", "-version")
        constraints = (
            models.UniqueConstraint(
                fields=("slug", "version"), name="webhook_type_version_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.slug} {self.version}"


class WebhookType(models.Model):
    """An uploaded description of a sender, in the format of the shipped ones."""

    slug = models.SlugField(primary_key=True, max_length=50)
    current = models.ForeignKey(
        WebhookTypeVersion, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug


class WebhookEndpoint(models.Model):
    """A URL we gave out. One endpoint can serve many triggers.

    `secrets` is a list of `{"secret", "valid_until"}`; null means without an end.
    """

    # The version of an uploaded type that counts now; the door reads it with the row.
    type_revision: UUID | None = None

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook_id = models.CharField(max_length=255)
    type = models.CharField(max_length=50, default="generic")
    secrets = EncryptedJSONField(default=list, blank=True)
    config = EncryptedJSONField(default=dict, blank=True)
    allowed_methods = models.JSONField(default=default_methods)
    validation_rules = models.JSONField(default=dict, blank=True)
    subject = models.CharField(max_length=255, default="", blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("webhook_id",), name="webhook_endpoint_webhook_id_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.webhook_id[:8]}…"


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


class ErrandKind(models.TextChoices):
    CERTIFICATE = "certificate"
    CONFIRMATION = "confirmation"


class ErrandStatus(models.TextChoices):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class Errand(models.Model):
    """A URL of a sender that a worker is to ask once, because the door never does.

    The certificate that a sender signs with (`result` is its PEM text), or the URL by
    which it wants a subscription confirmed. While `pending`, nobody else takes it up
    before `next_attempt_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=ErrandKind.choices)
    url = models.CharField(max_length=1000)
    endpoint_id = models.UUIDField(null=True)
    status = models.CharField(
        max_length=10, choices=ErrandStatus.choices, default=ErrandStatus.PENDING
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    error = models.CharField(max_length=255, default="", blank=True)
    result = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("kind", "url"), name="errand_url_unique"),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(status=ErrandStatus.PENDING),
                name="errand_due",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


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
