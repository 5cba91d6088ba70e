from __future__ import annotations

from uuid import UUID

from django.db import models

from common.fields import EncryptedJSONField
from common.ids import uuid7


def default_methods() -> list[str]:
    return ["POST"]


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
