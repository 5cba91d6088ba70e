"""The secrets of an endpoint: the current one, and the previous one until its end.

They are kept in this order, each as `{"secret", "created_at", "valid_until"}`. A list
that was never empty stays so: an endpoint without secrets may be open to anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest
from typing import TypedDict

from django.utils import timezone

from common.errors import Fault
from webhooks.definitions import WebhookTypeDefinition
from webhooks.definitions.schemes import HmacScheme, SignatureScheme, TokenScheme
from webhooks.models import WebhookEndpoint
from webhooks.signatures import is_usable_secret, new_secret


class Which(StrEnum):
    CURRENT = "current"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """What may be told of a secret: nothing of its text."""

    which: Which
    created_at: datetime | None
    valid_until: datetime | None


class SecretEntry(TypedDict):
    secret: str
    created_at: str | None
    valid_until: str | None


def live_secrets(
    endpoint: WebhookEndpoint, *, now: datetime | None = None
) -> list[str]:
    """Return the secrets that count at this moment."""
    return [entry["secret"] for entry in live_entries(endpoint, now=now)]


def live_entries(
    endpoint: WebhookEndpoint, *, now: datetime | None = None
) -> list[SecretEntry]:
    now = now or timezone.now()
    return [
        entry
        for entry in endpoint.secrets
        if not entry["valid_until"]
        or datetime.fromisoformat(entry["valid_until"]) > now
    ]


def states_of(entries: list[SecretEntry]) -> list[SecretState]:
    """Describe the live secrets of an endpoint, the current one first."""
    return [
        SecretState(
            which=Which.PREVIOUS if place else Which.CURRENT,
            created_at=_instant(entry.get("created_at")),
            valid_until=_instant(entry["valid_until"]),
        )
        for place, entry in enumerate(entries)
    ]


def new_entry(secret: str, *, now: datetime | None = None) -> SecretEntry:
    created_at = (now or timezone.now()).isoformat()
    return {"secret": secret, "created_at": created_at, "valid_until": None}


def can_make_secret(scheme: SignatureScheme) -> bool:
    """Whether we may invent the secret: not if it is a key that the sender made."""
    return isinstance(scheme, HmacScheme | TokenScheme)


def find_secret_faults(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> Iterator[Fault]:
    """Find what is wrong with a secret: a text, `true` (make one), `false` (none)."""
    scheme = definition.signature
    if given is None or given is True:
        if _must_be_given(endpoint, definition, given):
            yield Fault("/secret", explain_public_key(definition))
    elif given is False:
        if definition.signature_required:
            yield Fault("/secret", f"{definition.name} can't be without a secret")
    elif not isinstance(given, str):
        yield Fault("/secret", "Must be a text, or true for a new one")
    elif scheme is None or not is_usable_secret(scheme, given):
        yield Fault("/secret", f"Is not a secret that {definition.name} could use")


def explain_public_key(definition: WebhookTypeDefinition) -> str:
    return f"{definition.name} shows you its public key: put it here"


def set_secret(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> str | None:
    """Give an unsaved change of an endpoint its secret; return it if it is a new one.

    Without a given one the present secrets stay, where the type can use them; a type
    that signs gets a new one otherwise, another only if asked (`true`). A new one
    replaces all there are at once.
    """
    scheme = definition.signature
    if given is None and (_has_usable(endpoint, definition) or scheme is None):
        return None
    if scheme is None or given is False:
        endpoint.secrets = []
        return None
    if given is None and not definition.secret_on_creation:
        return None
    secret = given if isinstance(given, str) else new_secret(scheme)
    endpoint.secrets = [new_entry(secret)]
    return secret


def is_live(endpoint: WebhookEndpoint, secret: str) -> bool:
    live = live_secrets(endpoint)
    return any(compare_digest(own.encode(), secret.encode()) for own in live)


def _must_be_given(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> bool:
    """Whether a secret is wanted that only the sender can make."""
    scheme = definition.signature
    if scheme is None or can_make_secret(scheme):
        return False
    is_wanted = given is True or definition.secret_on_creation
    return is_wanted and (given is True or not _has_usable(endpoint, definition))


def _has_usable(endpoint: WebhookEndpoint, definition: WebhookTypeDefinition) -> bool:
    scheme = definition.signature
    return scheme is not None and any(
        is_usable_secret(scheme, secret) for secret in live_secrets(endpoint)
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
