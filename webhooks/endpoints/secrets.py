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
from senders.definitions import WebhookTypeDefinition
from senders.definitions.schemes import (
    AnyScheme,
    CertificateScheme,
    PublicKeyScheme,
    SignatureScheme,
    SingleScheme,
)
from senders.signatures import is_usable_secret, new_secret
from webhooks.models import WebhookEndpoint
from webhooks.types.definitions import definition_for


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
    """Whether we may invent the secret: not if the sender alone makes its keys."""
    return not isinstance(_first(scheme), PublicKeyScheme | CertificateScheme)


def find_secret_faults(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> Iterator[Fault]:
    """Find what is wrong with a secret: a text, `true` (make one), `false` (none)."""
    scheme = definition.signature
    if given is None or given is True:
        if _must_be_given(endpoint, definition, given):
            yield Fault("/secret", explain_foreign_key(definition))
    elif given is False:
        if definition.signature_required:
            yield Fault("/secret", f"{definition.name} can't be without a secret")
    elif not isinstance(given, str):
        yield Fault("/secret", "Must be a text, or true for a new one")
    elif scheme is None or not is_usable_secret(scheme, given):
        yield Fault("/secret", f"Is not a secret that {definition.name} could use")


def explain_foreign_key(definition: WebhookTypeDefinition) -> str:
    if _has_certificate(definition.signature):
        return f"{definition.name} signs with certificates of its own: leave this out"
    return f"{definition.name} shows you its public key: put it here"


def set_secret(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> str | None:
    """Give an unsaved change of an endpoint its secret; return it if it is a new one.

    The endpoint still has the type it had. Without a given one the present secrets
    stay, where the new type can use them; else one is made if the type signs or it had
    one, another only if asked (`true`). A new one replaces all there are at once.
    """
    if given is None and _keeps_secrets(endpoint, definition):
        return None
    secret = _pick(endpoint, definition, given)
    endpoint.secrets = [] if secret is None else [new_entry(secret)]
    return secret


def is_live(endpoint: WebhookEndpoint, secret: str) -> bool:
    live = live_secrets(endpoint)
    return any(compare_digest(own.encode(), secret.encode()) for own in live)


def _pick(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> str | None:
    """Return the secret that a change sets; None is to have none."""
    scheme = definition.signature
    if scheme is None or given is False:
        return None
    if isinstance(given, str):
        return given
    is_wanted = given is True or _is_made_unasked(endpoint, definition)
    return new_secret(scheme) if is_wanted else None


def _must_be_given(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> bool:
    """Whether a secret is wanted that only the sender can make."""
    scheme = definition.signature
    if scheme is None or can_make_secret(scheme):
        return False
    is_missing = not (_has_certificate(scheme) or _keeps_secrets(endpoint, definition))
    return given is True or is_missing


def _is_made_unasked(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition
) -> bool:
    """Whether a secret of ours is wanted: also where the door would open without."""
    is_wanted = definition.secret_on_creation or bool(endpoint.secrets)
    return is_wanted and _is_ours(definition.signature)


def _is_ours(scheme: SignatureScheme | None) -> bool:
    return scheme is not None and can_make_secret(scheme)


def _has_certificate(scheme: SignatureScheme | None) -> bool:
    """Whether the sender says with each request what to verify it by."""
    return isinstance(scheme and _first(scheme), CertificateScheme)


def _first(scheme: SignatureScheme) -> SingleScheme:
    """Return the scheme that a new secret is for."""
    return scheme.of[0] if isinstance(scheme, AnyScheme) else scheme


def _keeps_secrets(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition
) -> bool:
    """Whether its secrets go on: none as a public key, no public key as a secret."""
    former, scheme = definition_for(endpoint).signature, definition.signature
    is_other_type = endpoint.type != definition.slug
    if is_other_type and not (_is_ours(former) and _is_ours(scheme)):
        return False
    return scheme is not None and any(
        is_usable_secret(scheme, secret) for secret in live_secrets(endpoint)
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
