from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import EncryptedJSONField, RawJSONField
from common.ids import uuid7


def default_methods() -> list[str]:
    return ["POST"]


class WebhookType(models.Model):
    """An uploaded description of a sender, in the format of the shipped ones."""

    slug = models.SlugField(primary_key=True, max_length=50)
    definition = models.JSONField()
    version = models.PositiveIntegerField(default=1)
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
    """A request that a known endpoint refused, and why. Sampled and bounded."""

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
