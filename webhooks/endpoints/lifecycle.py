from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from common.errors import Fault, InvalidInput, join_faults
from events.models import Event
from senders.definitions import WebhookTypeDefinition
from webhooks.endpoints.rules import find_rule_faults
from webhooks.endpoints.secrets import find_secret_faults, live_secrets, set_secret
from webhooks.endpoints.urls import (
    WebhookUrlTaken,
    custom_path,
    find_path_faults,
    id_for_path,
    new_webhook_id,
    own_url,
    webhook_url,
)
from webhooks.models import WebhookEndpoint
from webhooks.types import (
    definition_for,
    definition_of,
    find_config_faults,
    lock_type_shared,
)

__all__ = [
    "API_NAMES",
    "METHODS",
    "EndpointFields",
    "InvalidEndpoint",
    "SavedEndpoint",
    "WebhookUrlTaken",
    "close_endpoint",
    "create_endpoint",
    "custom_path",
    "find_endpoint_faults",
    "live_secrets",
    "update_endpoint",
    "webhook_url",
]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CHANGEABLE = (
    "webhook_id", "type", "secrets", "config", "allowed_methods", "validation_rules",
    "subject", "updated_at",
)  # fmt: skip
# What the API of triggers calls the fields of an endpoint.
API_NAMES = {
    "path": "webhook_path",
    "type_slug": "webhook_type",
    "config": "webhook_config",
    "allowed_methods": "allowed_methods",
    "validation_rules": "validation_rules",
}


class InvalidEndpoint(InvalidInput):
    """The webhook's settings are not valid."""

    code = "invalid_webhook"


class EndpointFields(TypedDict, total=False):
    """What may be set of an endpoint; None and what is left out stay as they are.

    But a `path` of None is a generated one.
    """

    path: str | None
    type_slug: str | None
    config: Mapping[str, Any] | None
    allowed_methods: Sequence[str] | None
    validation_rules: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedEndpoint:
    """An endpoint as stored, and the secret that this act set: shown this once."""

    endpoint: WebhookEndpoint
    secret: str | None


def create_endpoint(
    *, subject: str = "", **given: Unpack[EndpointFields]
) -> SavedEndpoint:
    """Make an endpoint with a URL of its own; raise InvalidEndpoint, WebhookUrlTaken.

    An unknown type is `generic`. A type that signs gets a secret unless
    `config["secret"]` brings one; `generic` gets one only if asked (`true`).
    """
    endpoint = WebhookEndpoint(webhook_id=new_webhook_id(), subject=subject)
    with own_url():
        secret = _change(endpoint, **given)
        endpoint.save(force_insert=True)
    return SavedEndpoint(endpoint=endpoint, secret=secret)


def update_endpoint(
    *,
    endpoint_id: UUID,
    subject: str | None = None,
    secret: str | None = None,
    **given: Unpack[EndpointFields],
) -> SavedEndpoint:
    """Change what is given of an endpoint; concerns every trigger it serves.

    A secret replaces the present ones at once; given beside no config, it leaves that
    as it is. Raises InvalidEndpoint, WebhookUrlTaken.
    """
    with own_url():
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
        if subject is not None:
            endpoint.subject = subject
        if secret is not None:
            config = given.get("config")
            kept = endpoint.config if config is None else config
            given["config"] = {**kept, "secret": secret}
        new_secret = _change(endpoint, **given)
        endpoint.save(update_fields=CHANGEABLE)
    return SavedEndpoint(endpoint=endpoint, secret=new_secret)


def find_endpoint_faults(
    endpoint: WebhookEndpoint, **given: Unpack[EndpointFields]
) -> Iterator[Fault]:
    """Find what is wrong with a change of an endpoint, by the API's fields."""
    yield from _find_faults(endpoint, _definition(endpoint, given), given)


def close_endpoint(*, endpoint_id: UUID) -> None:
    """Receive nothing more at an endpoint; a path that was chosen is free again."""
    endpoint = WebhookEndpoint.objects.only("webhook_id").get(pk=endpoint_id)
    endpoint.webhook_id = id_for_path(endpoint, None)
    endpoint.is_active = False
    endpoint.save(update_fields=("webhook_id", "is_active", "updated_at"))


def _definition(
    endpoint: WebhookEndpoint, given: EndpointFields
) -> WebhookTypeDefinition:
    """Return the definition of the type that a change names, else of the present one.

    One that is not known is `generic`, unless the endpoint has it already.
    """
    slug = (given.get("type_slug") or endpoint.type).lower()
    is_kept = slug == endpoint.type and not endpoint._state.adding
    return definition_for(endpoint) if is_kept else definition_of(slug)


def _find_faults(
    endpoint: WebhookEndpoint,
    definition: WebhookTypeDefinition,
    given: EndpointFields,
) -> Iterator[Fault]:
    methods = given.get("allowed_methods")
    if methods is None:
        methods = endpoint.allowed_methods
    yield from _find_method_faults(definition, methods)
    secret = (given.get("config") or {}).get("secret")
    for fault in find_secret_faults(endpoint, definition, secret):
        yield Fault(f"/webhook_config{fault.pointer}", fault.detail)
    for fault in find_rule_faults(given.get("validation_rules") or {}):
        yield Fault(f"/validation_rules{fault.pointer}", fault.detail)
    if (path := given.get("path")) is not None:
        for fault in find_path_faults(path):
            yield Fault("/webhook_path", fault.detail)
    yield from _find_config_faults(endpoint, definition, given)


def _find_config_faults(
    endpoint: WebhookEndpoint,
    definition: WebhookTypeDefinition,
    given: EndpointFields,
) -> Iterator[Fault]:
    """Find what the type requires of the config, where a change touches either."""
    config, is_new = given.get("config"), endpoint._state.adding
    if is_new or config is not None or definition.slug != endpoint.type:
        kept = endpoint.config if config is None else config
        secret = {"secret": True} if endpoint.secrets else {}
        yield from find_config_faults(definition, {**secret, **kept})


def _change(endpoint: WebhookEndpoint, **given: Unpack[EndpointFields]) -> str | None:
    """Set what is given of an unsaved endpoint; return the secret if that set one."""
    lock_type_shared(given.get("type_slug") or endpoint.type)
    definition = _definition(endpoint, given)
    if faults := list(_find_faults(endpoint, definition, given)):
        detail = join_faults(faults, with_pointers=False)
        raise InvalidEndpoint(detail, faults=faults)
    if "path" in given:
        endpoint.webhook_id = id_for_path(endpoint, given["path"])
    if (methods := given.get("allowed_methods")) is not None:
        endpoint.allowed_methods = list(dict.fromkeys(map(str.upper, methods)))
    if (rules := given.get("validation_rules")) is not None:
        endpoint.validation_rules = rules
    if (config := given.get("config")) is not None:
        endpoint.config = {key: config[key] for key in config if key != "secret"}
    secret = set_secret(endpoint, definition, (config or {}).get("secret"))
    endpoint.type = definition.slug
    return secret


def _find_method_faults(
    definition: WebhookTypeDefinition, methods: Sequence[str]
) -> Iterator[Fault]:
    possible = [name for name in METHODS if name in definition.default_methods]
    detail = f"{definition.name} is received by: {', '.join(possible)}"
    if not methods:
        yield Fault("/allowed_methods", f"Name at least one; {detail}")
    for place, method in enumerate(methods):
        if method.upper() not in possible:
            yield Fault(f"/allowed_methods/{place}", detail)


def last_received_at(endpoint_id: UUID) -> datetime | None:
    """Return when the last event came by an endpoint: one step in an index.

    A replay is not received; those since the last delivery are stepped over.
    """
    came = Event.objects.filter(endpoint_id=endpoint_id, replay_of=None)
    return came.order_by("-id").values_list("received_at", flat=True).first()
