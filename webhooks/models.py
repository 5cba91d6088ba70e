from __future__ import annotations

from uuid import UUID

from django.db import models

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
    limits = models.JSONField(default=dict, blank=True)
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
