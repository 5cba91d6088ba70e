from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from common.errors import Conflict, Fault, InvalidInput
from webhooks.definitions import WebhookTypeDefinition, resolve
from webhooks.models import WebhookEndpoint
from webhooks.signatures import is_usable_secret, new_secret

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class InvalidEndpoint(InvalidInput):
    """The webhook's settings are not valid."""

    code = "invalid_webhook"


class WebhookUrlTaken(Conflict):
    """This webhook URL is already in use."""

    code = "webhook_url_in_use"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """An endpoint just made, and its secret: shown this once."""

    endpoint: WebhookEndpoint
    secret: str | None


def create_endpoint(
    *,
    type_slug: str = "generic",
    config: Mapping[str, Any] | None = None,
    allowed_methods: list[str] | None = None,
    validation_rules: Mapping[str, Any] | None = None,
    subject: str = "",
) -> NewEndpoint:
    """Make an endpoint with a URL of its own; raise InvalidEndpoint with the faults.

    An unknown type is `generic`. A type that signs gets a secret unless
    `config["secret"]` brings one; `generic` gets one only if asked (`true`).
    """
    definition = resolve(type_slug)
    config = dict(config or {})
    secret = _choose_secret(definition, config.pop("secret", None))
    endpoint = WebhookEndpoint(
        webhook_id=f"wht_{secrets.token_hex(16)}",
        type=definition.slug,
        secrets=[{"secret": secret, "valid_until": None}] if secret else [],
        config=config,
        allowed_methods=check_methods(definition, allowed_methods or ["POST"]),
        validation_rules=validation_rules or {},
        subject=subject,
    )
    try:
        with transaction.atomic():
            endpoint.save(force_insert=True)
    except IntegrityError as error:
        raise WebhookUrlTaken from error
    return NewEndpoint(endpoint=endpoint, secret=secret)


def update_endpoint(
    *,
    endpoint_id: UUID,
    type_slug: str | None = None,
    config: Mapping[str, Any] | None = None,
    allowed_methods: list[str] | None = None,
    validation_rules: Mapping[str, Any] | None = None,
) -> WebhookEndpoint:
    """Change what is given of an endpoint; concerns every trigger it serves.

    A secret that is given replaces the present one. Raises InvalidEndpoint.
    """
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
        definition = resolve(type_slug or endpoint.type)
        endpoint.type = definition.slug
        if config is not None:
            rest = dict(config)
            _replace_secret(endpoint, definition, rest.pop("secret", None))
            endpoint.config = rest
        if validation_rules is not None:
            endpoint.validation_rules = validation_rules
        methods = allowed_methods or endpoint.allowed_methods
        endpoint.allowed_methods = check_methods(definition, methods)
        endpoint.save()
    return endpoint


def check_methods(definition: WebhookTypeDefinition, methods: list[str]) -> list[str]:
    """Return methods in upper case; raise InvalidEndpoint for one that can't be."""
    allowed = [method.upper() for method in methods]
    for place, method in enumerate(allowed):
        if method not in METHODS or method not in definition.default_methods:
            possible = ", ".join(definition.default_methods)
            detail = f"{definition.name} is received by: {possible}"
            fault = Fault(f"/allowed_methods/{place}", detail)
            raise InvalidEndpoint(detail, faults=[fault])
    return list(dict.fromkeys(allowed))


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


def webhook_url(endpoint: WebhookEndpoint) -> str:
    return f"{settings.PUBLIC_URL}/webhooks/{endpoint.webhook_id}"


def _replace_secret(
    endpoint: WebhookEndpoint, definition: WebhookTypeDefinition, given: object
) -> None:
    if given is not None:
        secret = _choose_secret(definition, given)
        endpoint.secrets = [{"secret": secret, "valid_until": None}] if secret else []


def _choose_secret(definition: WebhookTypeDefinition, given: object) -> str | None:
    scheme = definition.signature
    if scheme is None or given is False:
        return None
    if given is True or (given is None and definition.signature_required):
        return new_secret(scheme)
    if given is None:
        return None
    if not isinstance(given, str) or not is_usable_secret(scheme, given):
        detail = f"Is not a secret that {definition.name} could use"
        fault = Fault("/webhook_config/secret", detail)
        raise InvalidEndpoint(detail, faults=[fault])
    return given
