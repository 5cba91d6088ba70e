from __future__ import annotations

from django.conf import settings
from django.db import models

from access.sessions import Session
from common.ids import uuid7

__all__ = ["ApiToken", "Session"]


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

    class Meta:
        verbose_name = "API token"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("digest",), name="access_token_digest"),
        )

    def __str__(self) -> str:
        return f"{self.prefix}…"
