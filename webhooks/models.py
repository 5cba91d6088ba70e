from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models import Q

from access.audit.records import AuditRecords
from common.fields import EncryptedJSONField, RawJSONField
from common.ids import uuid7
from common.wording import time_text


def default_methods() -> list[str]:
    return ["POST"]


class WebhookEndpoint(models.Model):
    """A URL we gave out. One endpoint can serve many triggers.

    `secrets` is a list of `{"secret", "created_at", "valid_until"}`, the current one
    first. A `valid_until` of null means that the secret does not expire.
    """

    # The current version of an uploaded type; the receiver reads it with the row.
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

    # Without a secret, the id in the URL is all that a sender needs to know.
    history = AuditRecords(
        kind="webhook",
        excluded=("created_at", "updated_at"),
        secrets=("webhook_id", "secrets", "config"),
        subject="subject",
    )

    class Meta:
        verbose_name = "webhook"
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("webhook_id",), name="webhook_endpoint_webhook_id_unique"
            ),
        )
        indexes = (
            models.Index(
                fields=("subject",),
                condition=~Q(subject=""),
                name="webhook_endpoint_subject",
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.webhook_id[:8]}…"


class WebhookTypeVersion(models.Model):
    """One uploaded description of a sender. A row never changes.

    Its id always names the same description, so a process can cache the definition
    that it loads from it.
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
        return f"{self.slug}, version {self.version}"


class WebhookType(models.Model):
    """An uploaded description of a sender, in the format of the shipped types."""

    slug = models.SlugField(primary_key=True, max_length=50)
    current = models.ForeignKey(
        WebhookTypeVersion, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    history = AuditRecords(kind="webhook_type", excluded=("created_at", "updated_at"))

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug


class Rejection(models.Model):
    """A request that a known endpoint rejected, with the cause: sampled and bounded.

    A duplicate is stored here too, with the cause `duplicate`; `event_id` names the
    event that it repeats. `body` holds the first bytes of the body, `body_size` is the
    size of the whole body where it is known.
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
        return f"refused request · {time_text(self.received_at)}"


class RejectionCount(models.Model):
    """How many requests an endpoint rejected for one cause in one hour, exactly."""

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


class PendingFetchKind(models.TextChoices):
    CERTIFICATE = "certificate"
    CONFIRMATION = "confirmation"
    KEYS = "keys"


class PendingFetchStatus(models.TextChoices):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class PendingFetch(models.Model):
    """A URL of a sender that a worker fetches, because the receiver never calls out.

    It is the URL of the certificate that a sender signs with (`result` is its PEM
    text), of the sender's public keys, which are fetched again from time to time, or
    the URL that confirms a subscription. While the status is `pending`, a
    worker may claim the row once `next_attempt_at` has passed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=PendingFetchKind.choices)
    url = models.CharField(max_length=1000)
    endpoint_id = models.UUIDField(null=True)
    status = models.CharField(
        max_length=10,
        choices=PendingFetchStatus.choices,
        default=PendingFetchStatus.PENDING,
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    error = models.CharField(max_length=255, default="", blank=True)
    result = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # The table keeps the name that it has in existing installations.
        db_table = "webhooks_errand"
        verbose_name_plural = "pending fetches"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("kind", "url"), name="errand_url_unique"),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(status=PendingFetchStatus.PENDING),
                name="errand_due",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {time_text(self.created_at)}"


class DeliveryOutcome(models.TextChoices):
    """How the receiver answered a delivery."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class DeliveryManager(models.Manager["Delivery"]):
    """Leave out the events that did not arrive by webhook.

    The view cannot filter them itself: with a WHERE in it PostgreSQL would not use the
    indexes of its tables.
    """

    def get_queryset(self) -> models.QuerySet[Delivery]:
        return super().get_queryset().filter(source="webhook")


class Delivery(models.Model):
    """One HTTP attempt by a sender: a row of a view over events and rejections.

    An accepted delivery has the id of its event; a redelivery names in `replay_of` the
    event that it repeats. `request` is set for accepted deliveries. For the others
    `headers` and the first bytes of the body are stored.
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
    outcome = models.TextField(choices=DeliveryOutcome.choices)
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
        return f"{self.event_type or 'delivery'} · {time_text(self.received_at)}"
