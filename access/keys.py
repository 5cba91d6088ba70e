"""API keys: created, shown once, found by their digest, and revoked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from access.actors import because
from access.audit.records import record_update
from access.callers import Caller, subject_of
from access.models import ApiKey
from access.policy import SCOPES, own_subject
from access.tokens import digest_of
from common.errors import Fault, InvalidInput, join_faults

KEY_PREFIX = "th_"
USE_RECORDED_EVERY = timedelta(minutes=1)
_RANDOM_BYTES = 20
_SHOWN_CHARACTERS = len(KEY_PREFIX) + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A stored key, and its text, which cannot be read again."""

    row: ApiKey
    text: str


def create_key(
    *,
    owner: User,
    name: str,
    scopes: Sequence[str],
    subject: str = "",
    expires_at: datetime | None = None,
) -> NewKey:
    """Store a new key of a user; raise InvalidInput.

    The key of a user who is bound to a subject is bound to the same one.
    """
    faults = [
        Fault(f"/scopes/{place}", f"'{scope[:50]}' is no scope: {', '.join(SCOPES)}")
        for place, scope in enumerate(scopes)
        if scope not in SCOPES
    ]
    if not scopes:
        faults.append(Fault("/scopes", "Name at least one scope"))
    if expires_at is not None and expires_at <= timezone.now():
        faults.append(Fault("/expires_at", "Must be in the future"))
    if not owner.is_active:
        faults.append(Fault("/owner", f"The user {owner.pk} is inactive"))
    if faults:
        raise InvalidInput(join_faults(faults), faults=faults)
    text = KEY_PREFIX + secrets.token_hex(_RANDOM_BYTES)
    with transaction.atomic():
        row = ApiKey.objects.create(
            owner=owner,
            name=name,
            digest=digest_of(text),
            prefix=text[:_SHOWN_CHARACTERS],
            scopes=list(dict.fromkeys(scopes)),
            subject=own_subject(Caller(owner), subject),
            expires_at=expires_at,
        )
    return NewKey(row=row, text=text)


def revoke_key(key: ApiKey) -> None:
    """End a key now; no effect if it has been revoked."""
    live = ApiKey.objects.filter(pk=key.pk, revoked_at=None)
    with transaction.atomic(), because("revoked"):
        if live.update(revoked_at=timezone.now()):
            record_update(ApiKey, key.pk, old={"revoked_at": None})


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # has no types
    """How the OpenAPI document describes the keys: like tokens, by the header's text.

    Some generated clients would put `Bearer` before the text of a token, too, if keys
    were described as bearer tokens.
    """

    target_class = "access.keys.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"An API key after `Bearer `: {KEY_PREFIX}…",
        }


class ApiKeyAuthentication(TokenAuthentication):
    """Accepts `Authorization: Bearer th_…`."""

    keyword = "Bearer"
    model = ApiKey

    def authenticate_credentials(self, key: str) -> tuple[User, ApiKey]:
        """Return the owner and the key; raise AuthenticationFailed.

        The database compares digests, so the time it takes does not reveal the key.
        """
        keys = ApiKey.objects.select_related("owner__subject_binding")
        found = keys.filter(digest=digest_of(key)).first()
        if found is None or found.revoked_at is not None:
            raise AuthenticationFailed("The API key is not valid")
        now = timezone.now()
        if found.expires_at is not None and found.expires_at <= now:
            raise AuthenticationFailed("The API key has expired")
        if not found.owner.is_active:
            raise AuthenticationFailed("The owner of this API key is inactive")
        if subject_of(found.owner) not in ("", found.subject):
            raise AuthenticationFailed("The owner of this API key has another subject")
        _record_use(found, now)
        return found.owner, found


def _record_use(key: ApiKey, now: datetime) -> None:
    """Store that a key was used, at most once a minute."""
    before = now - USE_RECORDED_EVERY
    if key.last_used_at is not None and key.last_used_at > before:
        return
    unrecorded = Q(last_used_at=None) | Q(last_used_at__lte=before)
    ApiKey.objects.filter(unrecorded, pk=key.pk).update(last_used_at=now)
