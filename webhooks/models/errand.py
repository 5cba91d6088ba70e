from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.ids import uuid7


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
