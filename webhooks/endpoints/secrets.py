"""The secrets of an endpoint: the current one, and the previous one until it expires.

`WebhookEndpoint.secrets` lists them in this order. Once an endpoint has had a secret,
the list is never emptied: without any secret, some types accept unsigned requests.
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
    MIN_AUDIENCE_LENGTH,
    AnyScheme,
    CertificateScheme,
    JwtScheme,
    PublicKeyScheme,
    SignatureScheme,
    SingleScheme,
)
from senders.signatures import is_usable_secret, new_secret
from webhooks.models import WebhookEndpoint
from webhooks.types.config_auth import auth_of
from webhooks.types.definitions import definition_for

# The name in the WSGI environment of the key that verifies one test event.
THROW_AWAY_SECRET = "tickhook.throw_away_secret"  # noqa: S105 - a name


class Which(StrEnum):
    CURRENT = "current"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """The dates of a secret, without its text."""

    which: Which
    created_at: datetime | None
    valid_until: datetime | None


class SecretEntry(TypedDict):
    """One item of `WebhookEndpoint.secrets`; the dates are ISO 8601."""

    secret: str
    created_at: str | None
    valid_until: str | None


def live_secrets(
    endpoint: WebhookEndpoint, *, now: datetime | None = None
) -> list[str]:
    """Return the secrets that have not expired, the current one first."""
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
            which=Which.PREVIOUS if index else Which.CURRENT,
            created_at=_parse_date(entry.get("created_at")),
            valid_until=_parse_date(entry["valid_until"]),
        )
        for index, entry in enumerate(entries)
    ]


def new_entry(secret: str, *, now: datetime | None = None) -> SecretEntry:
    created_at = (now or timezone.now()).isoformat()
    return {"secret": secret, "created_at": created_at, "valid_until": None}


def is_live(endpoint: WebhookEndpoint, secret: str) -> bool:
    live = live_secrets(endpoint)
    return any(compare_digest(own.encode(), secret.encode()) for own in live)


def is_open(endpoint: WebhookEndpoint) -> bool:
    """Return whether the receiver accepts requests that prove no identity."""
    definition = definition_for(endpoint)
    if endpoint.secrets or definition.signature_required:
        return False
    return auth_of(definition, endpoint.config) is None


def can_generate_secret(scheme: SignatureScheme) -> bool:
    """Return whether we can make the secret: not if the sender makes its own keys."""
    return not isinstance(_first(scheme), PublicKeyScheme | CertificateScheme)


def find_secret_faults(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> Iterator[Fault]:
    """Find what is wrong with a given secret.

    It can be a string, `true` (generate one), `false` (have none) or None (not given).
    """
    scheme = definition.signature
    if given is None or given is True:
        if scheme is None or can_generate_secret(scheme):
            return
        is_missing = not (
            _has_certificate(scheme) or _keeps_secrets(endpoint, definition)
        )
        if given is True or is_missing:
            yield Fault("/secret", explain_public_key(definition))
    elif given is False:
        if definition.signature_required:
            yield Fault("/secret", f"{definition.name} requires a secret")
    elif not isinstance(given, str):
        yield Fault("/secret", "Must be a string, or true to generate one")
    elif scheme is None or not is_usable_secret(scheme, given):
        yield Fault("/secret", _explain_secret(scheme, definition))


def _explain_secret(
    scheme: SignatureScheme | None, definition: WebhookTypeDefinition
) -> str:
    detail = f"Is not a secret that {definition.name} can use"
    if scheme is None or not isinstance(_first(scheme), JwtScheme):
        return detail
    return (
        f"{detail}: enter the audience of its tokens, of at least "
        f"{MIN_AUDIENCE_LENGTH} characters and no URL; or any audience, a space and "
        "the account that the tokens are made for"
    )


def explain_public_key(definition: WebhookTypeDefinition) -> str:
    """Explain why the secret cannot be generated, and what to enter instead."""
    if _has_certificate(definition.signature):
        return f"{definition.name} signs with its own certificates: omit the secret"
    return f"{definition.name} shows you its public key: enter it as the secret"


def set_secret(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> str | None:
    """Set the secret of an unsaved change; return it if it is a new one.

    `endpoint` still has its former type, `definition` is that of the new one. If no
    secret is given, current secrets that the new type can use stay. Otherwise a secret
    is generated if the type signs or the endpoint had one. A secret that is set
    replaces all current ones at once.
    """
    if given is None and _keeps_secrets(endpoint, definition):
        return None
    secret = _choose(endpoint, definition, given)
    endpoint.secrets = [] if secret is None else [new_entry(secret)]
    return secret


def _choose(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> str | None:
    """Return the secret that a change sets; None for no secret."""
    scheme = definition.signature
    if scheme is None or given is False:
        return None
    if isinstance(given, str):
        return given
    # An endpoint that had a secret gets another one even if its type does not require
    # it: otherwise the receiver would start to accept unsigned requests.
    is_default = definition.secret_on_creation or bool(endpoint.secrets)
    is_wanted = given is True or (is_default and can_generate_secret(scheme))
    return new_secret(scheme) if is_wanted else None


def _keeps_secrets(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition
) -> bool:
    """Return whether a change of the type keeps the current secrets.

    A shared secret never becomes a public key, nor a public key a shared secret.
    """
    former, scheme = definition_for(endpoint).signature, definition.signature
    is_other_type = endpoint.type != definition.slug
    if is_other_type and not (_is_shared(former) and _is_shared(scheme)):
        return False
    return scheme is not None and any(
        is_usable_secret(scheme, secret) for secret in live_secrets(endpoint)
    )


def _is_shared(scheme: SignatureScheme | None) -> bool:
    return scheme is not None and can_generate_secret(scheme)


def _has_certificate(scheme: SignatureScheme | None) -> bool:
    """Return whether each request names the certificate that verifies it."""
    return isinstance(scheme and _first(scheme), CertificateScheme)


def _first(scheme: SignatureScheme) -> SingleScheme:
    """Return the scheme that a new secret is made for."""
    return scheme.of[0] if isinstance(scheme, AnyScheme) else scheme


def _parse_date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
