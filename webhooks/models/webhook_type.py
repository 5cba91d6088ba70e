from __future__ import annotations

from django.db import models

from common.fields import RawJSONField
from common.ids import uuid7


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
