from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.utils import timezone

from common.errors import Fault
from webhooks.definitions import WebhookTypeDefinition
from webhooks.models import WebhookEndpoint
from webhooks.signatures import is_usable_secret, new_secret


def live_secrets(
    endpoint: WebhookEndpoint, *, now: datetime | None = None
) -> list[str]:
    """Return the secrets that count at this moment."""
    now = now or timezone.now()
    return [
        entry["secret"]
        for entry in endpoint.secrets
        if not entry["valid_until"]
        or datetime.fromisoformat(entry["valid_until"]) > now
    ]


def find_secret_faults(
    definition: WebhookTypeDefinition, given: object
) -> Iterator[Fault]:
    """Find what is wrong with a secret: a text, `true` (make one), `false` (none)."""
    scheme = definition.signature
    if given is None or given is True:
        return
    if given is False:
        if definition.signature_required:
            yield Fault("/secret", f"{definition.name} can't be without a secret")
    elif not isinstance(given, str):
        yield Fault("/secret", "Must be a text, or true for a new one")
    elif scheme is None or not is_usable_secret(scheme, given):
        yield Fault("/secret", f"Is not a secret that {definition.name} could use")


def set_secret(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> str | None:
    """Give an unsaved change of an endpoint its secret; return it if it is a new one.

    Without a given one the present secret stays, where the type can use it; a type that
    signs gets a new one otherwise, another only if asked (`true`).
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
    endpoint.secrets = [{"secret": secret, "valid_until": None}]
    return secret


def _has_usable(endpoint: WebhookEndpoint, definition: WebhookTypeDefinition) -> bool:
    scheme = definition.signature
    return scheme is not None and any(
        is_usable_secret(scheme, secret) for secret in live_secrets(endpoint)
    )
