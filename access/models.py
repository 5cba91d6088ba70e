from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from access.audit.records import AuditRecords, UserRecords
from access.sessions import Session
from common.ids import uuid7
from common.wording import time_text

__all__ = ["ApiKey", "ApiToken", "AuditLog", "Session", "SubjectBinding"]


class ApiToken(models.Model):
    """A secret with which a program uses the API as a user.

    Only the SHA-256 of the token is stored. The token has 160 random bits, so a slow
    hash would not protect it better. People recognize it by its `prefix`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    prefix = models.CharField(max_length=8, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    history = AuditRecords(kind="api_token", excluded=("digest", "created_at"))

    class Meta:
        verbose_name = "API token"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("digest",), name="access_token_digest"),
        )

    def __str__(self) -> str:
        return f"{self.prefix}…"


class ApiKey(models.Model):
    """A secret with which a program uses the API for its owner, within its scopes.

    Only the SHA-256 of the key is stored; it has 160 random bits. The owner's rights
    at the time of a call are its limit. A revoked key stays, so that the records of
    what it did keep their meaning.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, editable=False)
    prefix = models.CharField(max_length=12, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    scopes = ArrayField(models.CharField(max_length=30))
    subject = models.CharField(max_length=255, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    history = AuditRecords(
        kind="api_key", excluded=("digest", "last_used_at", "created_at")
    )

    class Meta:
        verbose_name = "API key"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("digest",), name="access_key_digest"),
        )
        permissions = (("administer", "Can manage what belongs to no subject"),)

    def __str__(self) -> str:
        return self.name


class SubjectBinding(models.Model):
    """A user who sees and starts only the rows of one subject."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="subject_binding",
    )
    subject = models.CharField(max_length=255)

    history = AuditRecords(kind="subject_binding")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=~Q(subject=""), name="access_binding_names_subject"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.subject}"


UserRecords(
    kind="user",
    excluded=("last_login", "date_joined"),
    secrets=("password",),
    relations={
        "groups": ("groups__name",),
        "user_permissions": (
            "user_permissions__content_type__app_label",
            "user_permissions__codename",
        ),
    },
).register(User, module="access.models")

AuditRecords(
    kind="role",
    relations={
        "permissions": (
            "permissions__content_type__app_label",
            "permissions__codename",
        )
    },
).register(Group, module="access.models")


class AuditLog(models.Model):
    """One change of an object: a row of the view over all history tables.

    `object_name` and `actor` are the names at that time. `actor` is the name of the
    user or of the command; `key_prefix` is that of the key or token of a call.
    `changes` is a list of `{"field", "old", "new", "is_secret"}`; of a secret it has no
    values. A new row shows what differs from the defaults, a deleted one what it was.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField()
    object_type = models.TextField()
    object_id = models.TextField()
    object_name = models.TextField()
    object_subject = models.TextField()
    change = models.TextField()
    actor_kind = models.TextField()
    actor_id = models.IntegerField(null=True)
    actor = models.TextField()
    key_prefix = models.TextField()
    reason = models.TextField()
    changes = models.JSONField()

    # The changes in words: labels and texts, which pages set.
    lines: Sequence[tuple[str, str]] = ()

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "change"
        verbose_name_plural = "audit log"
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.object_name} · {time_text(self.at)}"
