"""Gives an endpoint another secret or another URL, for every trigger it serves.

Each act holds the endpoint's row, so that of several at once none is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from common.errors import Conflict, Fault
from senders.definitions import WebhookTypeDefinition
from senders.signatures import new_secret
from webhooks.endpoints.lifecycle import InvalidEndpoint
from webhooks.endpoints.secrets import (
    SecretEntry,
    SecretState,
    Which,
    can_make_secret,
    explain_foreign_key,
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
    """It is the only secret: rotate it with keep_previous_seconds 0 instead."""

    code = "only_secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewedEndpoint:
    """An endpoint as stored, its new secret (shown this once), and what this ended."""

    endpoint: WebhookEndpoint
    secret: str | None = None
    ended: Sequence[SecretState] = ()


def rotate_secret(
    *,
    endpoint_id: UUID,
    secret: str | None = None,
    keep_previous_seconds: int = KEEP_SECONDS,
) -> RenewedEndpoint:
    """Set another secret, by default a new one; the present one stays valid for long.

    Two are live at most: one that was previous already ends at once. With nothing to
    keep, so does the present one. Raises InvalidEndpoint.
    """
    with transaction.atomic():
        endpoint = _hold(endpoint_id)
        chosen = _choose(endpoint, secret)
        now = timezone.now()
        ended = _push(endpoint, chosen, now=now, keep_seconds=keep_previous_seconds)
        endpoint.save(update_fields=("secrets", "updated_at"))
    return RenewedEndpoint(endpoint=endpoint, secret=chosen, ended=ended)


def revoke_secret(*, endpoint_id: UUID, which: Which) -> RenewedEndpoint:
    """End one of two secrets; the other is then the current one, without an end.

    So to revoke the current one takes a rotation back. The only one can't be revoked.
    Raises NoSuchSecret, OnlySecret.
    """
    with transaction.atomic():
        endpoint = _hold(endpoint_id)
        live = live_entries(endpoint)
        place = list(Which).index(which)
        if place >= len(live):
            raise NoSuchSecret(f"The endpoint has no {which} secret")
        if len(live) == 1:
            raise OnlySecret
        endpoint.secrets = [{**live[1 - place], "valid_until": None}]
        endpoint.save(update_fields=("secrets", "updated_at"))
    return RenewedEndpoint(endpoint=endpoint, ended=[states_of(live)[place]])


def renew_url(*, endpoint_id: UUID, rotate_secret: bool = False) -> RenewedEndpoint:
    """Move an endpoint to a new generated URL; the old one is unknown from now on.

    Its secrets stay, unless they are to be replaced by a new one at once.
    """
    with transaction.atomic():
        endpoint = _hold(endpoint_id)
        endpoint.webhook_id = new_webhook_id()
        secret, ended = None, list[SecretState]()
        if rotate_secret:
            secret = _choose(endpoint, None, pointer="/rotate_secret")
            ended = _push(endpoint, secret, now=timezone.now(), keep_seconds=0)
        endpoint.save(update_fields=("webhook_id", "secrets", "updated_at"))
    return RenewedEndpoint(endpoint=endpoint, secret=secret, ended=ended)


def _hold(endpoint_id: UUID) -> WebhookEndpoint:
    return WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)


def _choose(
    endpoint: WebhookEndpoint, given: str | None, *, pointer: str = "/secret"
) -> str:
    """Return the secret to set; raise InvalidEndpoint if there can be none."""
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
        return f"{definition.name} signs nothing: it has no secret"
    if given is None:
        is_ours = can_make_secret(definition.signature)
        return None if is_ours else explain_foreign_key(definition)
    for fault in find_secret_faults(endpoint, definition, given):
        return fault.detail
    if is_live(endpoint, given):
        return "Is valid here already; give another one"
    return None


def _push(
    endpoint: WebhookEndpoint, secret: str, *, now: datetime, keep_seconds: int
) -> list[SecretState]:
    """Put a secret before the live ones, keep one of them; return which this ended."""
    live = live_entries(endpoint, now=now)
    kept = live[:1] if keep_seconds else []
    until = now + timedelta(seconds=keep_seconds)
    previous = [_ending(entry, until) for entry in kept]
    endpoint.secrets = [new_entry(secret, now=now), *previous]
    return states_of(live)[len(kept) :]


def _ending(entry: SecretEntry, until: datetime) -> SecretEntry:
    """Return an entry that ends then, unless it ends before."""
    own_end = entry["valid_until"]
    if own_end and datetime.fromisoformat(own_end) < until:
        return entry
    return {**entry, "valid_until": until.isoformat()}
