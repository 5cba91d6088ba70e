"""Replaces the secret or the URL of an endpoint, for every trigger that it serves.

Each function locks the row of the endpoint, so that concurrent calls all take effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from access.actors import because
from common.errors import Conflict, Fault
from senders.definitions import WebhookTypeDefinition
from senders.signatures import new_secret
from webhooks.endpoints.lifecycle import InvalidEndpoint
from webhooks.endpoints.secrets import (
    SecretState,
    Which,
    can_generate_secret,
    explain_public_key,
    find_secret_faults,
    is_live,
    live_entries,
    new_entry,
    states_of,
)
from webhooks.endpoints.urls import new_webhook_id
from webhooks.models import WebhookEndpoint
from webhooks.types.definitions import definition_for

KEEP_SECONDS = 86_400
MAX_KEEP_SECONDS = 30 * 86_400


class NoSuchSecret(Conflict):
    """The endpoint has no such secret."""

    code = "no_such_secret"


class OnlySecret(Conflict):
    """This is the only secret: rotate it with keep_previous_seconds 0 instead."""

    code = "only_secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedEndpoint:
    """An endpoint as stored, its new secret (shown only once), and ended secrets."""

    endpoint: WebhookEndpoint
    secret: str | None = None
    ended: Sequence[SecretState] = ()


def rotate_secret(
    *,
    endpoint_id: UUID,
    secret: str | None = None,
    keep_previous_seconds: int = KEEP_SECONDS,
) -> RotatedEndpoint:
    """Set a new secret, by default a generated one; keep the current one for a while.

    At most two secrets are live: a previous one ends at once, and with
    `keep_previous_seconds` 0 the current one, too. Raises InvalidEndpoint.
    """
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        chosen = _choose_secret(endpoint, secret)
        now = timezone.now()
        ended = _prepend(endpoint, chosen, now=now, keep_seconds=keep_previous_seconds)
        with because("secret rotated"):
            endpoint.save(update_fields=("secrets", "updated_at"))
    return RotatedEndpoint(endpoint=endpoint, secret=chosen, ended=ended)


def revoke_secret(*, endpoint_id: UUID, which: Which) -> RotatedEndpoint:
    """End one of two secrets; the other one becomes current and does not expire.

    Revoking the current secret therefore undoes a rotation. The only secret cannot be
    revoked. Raises NoSuchSecret, OnlySecret.
    """
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        live = live_entries(endpoint)
        index = list(Which).index(which)
        if index >= len(live):
            raise NoSuchSecret(f"The endpoint has no {which} secret")
        if len(live) == 1:
            raise OnlySecret
        endpoint.secrets = [{**live[1 - index], "valid_until": None}]
        with because(f"{which} secret revoked"):
            endpoint.save(update_fields=("secrets", "updated_at"))
    return RotatedEndpoint(endpoint=endpoint, ended=[states_of(live)[index]])


def replace_url(*, endpoint_id: UUID, rotate_secret: bool = False) -> RotatedEndpoint:
    """Move an endpoint to a new generated URL; the old one returns 404 from now on.

    The secrets stay unless `rotate_secret` replaces them by a new one at once.
    """
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        endpoint.webhook_id = new_webhook_id()
        secret, ended = None, list[SecretState]()
        if rotate_secret:
            secret = _choose_secret(endpoint, None, pointer="/rotate_secret")
            ended = _prepend(endpoint, secret, now=timezone.now(), keep_seconds=0)
        with because("URL replaced"):
            endpoint.save(update_fields=("webhook_id", "secrets", "updated_at"))
    return RotatedEndpoint(endpoint=endpoint, secret=secret, ended=ended)


def _lock(endpoint_id: UUID) -> WebhookEndpoint:
    return WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)


def _choose_secret(
    endpoint: WebhookEndpoint, given: str | None, *, pointer: str = "/secret"
) -> str:
    """Return the given secret or a new one; raise InvalidEndpoint if not valid."""
    definition = definition_for(endpoint)
    detail = _find_fault(endpoint, definition, given)
    if detail is not None:
        raise InvalidEndpoint(detail, faults=[Fault(pointer, detail)])
    assert definition.signature is not None  # noqa: S101 - that would be a fault
    return given if given is not None else new_secret(definition.signature)


def _find_fault(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: str | None
) -> str | None:
    if definition.signature is None:
        return f"{definition.name} does not sign: the endpoint has no secret"
    if given is None:
        can_generate = can_generate_secret(definition.signature)
        return None if can_generate else explain_public_key(definition)
    for fault in find_secret_faults(endpoint, definition, given):
        return fault.detail
    if is_live(endpoint, given):
        return "Is already valid for this endpoint; give another secret"
    return None


def _prepend(
    endpoint: WebhookEndpoint, secret: str, *, now: datetime, keep_seconds: int
) -> list[SecretState]:
    """Make a secret the current one, keep one of the others, return the ended ones."""
    live = live_entries(endpoint, now=now)
    kept = live[:1] if keep_seconds else []
    until = now + timedelta(seconds=keep_seconds)
    for entry in kept:
        own_end = entry["valid_until"]
        if not own_end or datetime.fromisoformat(own_end) > until:
            entry["valid_until"] = until.isoformat()
    endpoint.secrets = [new_entry(secret, now=now), *kept]
    return states_of(live)[len(kept) :]
