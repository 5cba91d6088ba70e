from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from access.actors import because
from common.errors import Fault, InvalidInput, join_faults
from events.models import Event
from senders.definitions import WebhookTypeDefinition
from webhooks.endpoints.masking import MASK, find_mask_faults, restore_masked
from webhooks.endpoints.rules import find_rule_faults
from webhooks.endpoints.secrets import find_secret_faults, set_secret
from webhooks.endpoints.urls import (
    find_path_faults,
    id_for_path,
    new_webhook_id,
    unique_url,
)
from webhooks.models import WebhookEndpoint
from webhooks.types import (
    definition_for,
    explain_unknown,
    find_config_faults,
    find_named,
    find_setting_faults,
    find_useless_fields,
    lock_type_shared,
)
from webhooks.types.config_auth import AUTH

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
    """The fields that a caller can set; omitted fields and None change nothing.

    One exception: a `path` of None asks for a generated path.
    """

    path: str | None
    type_slug: str | None
    config: Mapping[str, Any] | None
    allowed_methods: Sequence[str] | None
    validation_rules: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedEndpoint:
    """An endpoint as stored, and the secret if this call set one: shown only once."""

    endpoint: WebhookEndpoint
    secret: str | None


def create_endpoint(
    *, subject: str = "", **fields: Unpack[EndpointFields]
) -> SavedEndpoint:
    """Create an endpoint with its own URL; raise InvalidEndpoint, WebhookUrlTaken.

    An unknown type is a fault; an alias stands for the slug of its type. A type that
    signs gets a generated secret unless `config["secret"]` contains one; `generic` gets
    one only if that is `true`.
    """
    endpoint = WebhookEndpoint(webhook_id=new_webhook_id(), subject=subject)
    with unique_url():
        secret = _apply(endpoint, **fields)
        endpoint.save(force_insert=True)
    return SavedEndpoint(endpoint=endpoint, secret=secret)


def update_endpoint(
    *,
    endpoint_id: UUID,
    subject: str | None = None,
    secret: str | None = None,
    **fields: Unpack[EndpointFields],
) -> SavedEndpoint:
    """Change the given fields of an endpoint, for every trigger that it serves.

    A secret replaces all current secrets at once; without a `config` next to it, the
    config stays unchanged. Raises InvalidEndpoint, WebhookUrlTaken.
    """
    with unique_url():
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
        if subject is not None:
            endpoint.subject = subject
        if secret is not None:
            config = fields.get("config")
            kept = endpoint.config if config is None else config
            fields["config"] = {**kept, "secret": secret}
        new_secret = _apply(endpoint, **fields)
        endpoint.save(update_fields=CHANGEABLE)
    return SavedEndpoint(endpoint=endpoint, secret=new_secret)


def find_endpoint_faults(
    endpoint: WebhookEndpoint, **fields: Unpack[EndpointFields]
) -> Iterator[Fault]:
    """Find what is wrong with a change; pointers use the names of the API."""
    fields = _unmasked(endpoint, fields)
    definition = _definition_after(endpoint, fields)
    if definition is None:
        yield _unknown_type(fields)
        # The other fields are checked by the type that the endpoint has so far.
        definition = definition_for(endpoint)
    yield from _find_faults(endpoint, definition, fields)


def close_endpoint(*, endpoint_id: UUID) -> None:
    """Stop receiving at an endpoint and release a path that was chosen for it."""
    endpoint = WebhookEndpoint.objects.only("webhook_id").get(pk=endpoint_id)
    endpoint.webhook_id = id_for_path(endpoint, None)
    endpoint.is_active = False
    with because("no trigger uses it"):
        endpoint.save(update_fields=("webhook_id", "is_active", "updated_at"))


def last_received_at(endpoint_id: UUID) -> datetime | None:
    """Return when an endpoint received its last event; a replay does not count.

    The query reads one entry of an index, and those of replays since the last delivery.
    """
    received = Event.objects.filter(endpoint_id=endpoint_id, replay_of=None)
    return received.order_by("-id").values_list("received_at", flat=True).first()


def _apply(endpoint: WebhookEndpoint, **fields: Unpack[EndpointFields]) -> str | None:
    """Set the given fields without saving; return the secret if this set one."""
    fields = _unmasked(endpoint, fields)
    named = (fields.get("type_slug") or endpoint.type).lower()
    lock_type_shared(named)
    definition = _definition_after(endpoint, fields)
    if definition is None:
        raise _invalid([_unknown_type(fields)])
    if named in definition.aliases:
        lock_type_shared(definition.slug)
    if faults := list(_find_faults(endpoint, definition, fields)):
        raise _invalid(faults)
    if "path" in fields:
        endpoint.webhook_id = id_for_path(endpoint, fields["path"])
    if (methods := fields.get("allowed_methods")) is not None:
        endpoint.allowed_methods = list(dict.fromkeys(map(str.upper, methods)))
    if (rules := fields.get("validation_rules")) is not None:
        endpoint.validation_rules = rules
    if (config := fields.get("config")) is not None:
        endpoint.config = _stored_config(endpoint, definition, config)
    secret = set_secret(endpoint, definition, (config or {}).get("secret"))
    endpoint.type = definition.slug
    return secret


def _unmasked(endpoint: WebhookEndpoint, fields: EndpointFields) -> EndpointFields:
    config = fields.get("config")
    if config is None:
        return fields
    return {**fields, "config": restore_masked(endpoint, config)}


def _stored_config(
    endpoint: WebhookEndpoint,
    definition: WebhookTypeDefinition,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the config to store: without the secret, which is stored elsewhere.

    A login that is not mentioned stays, so that no change of another key opens the
    endpoint; null removes it.
    """
    kept = {key: config[key] for key in config if key != "secret"}
    if not definition.config_auth:
        return kept
    if AUTH not in config and AUTH in endpoint.config:
        return {**kept, AUTH: endpoint.config[AUTH]}
    return {key: kept[key] for key in kept if key != AUTH or kept[key] is not None}


def _invalid(faults: Sequence[Fault]) -> InvalidEndpoint:
    return InvalidEndpoint(join_faults(faults, with_pointers=False), faults=faults)


def _unknown_type(fields: EndpointFields) -> Fault:
    return Fault("/webhook_type", explain_unknown(fields.get("type_slug") or ""))


def _definition_after(
    endpoint: WebhookEndpoint, fields: EndpointFields
) -> WebhookTypeDefinition | None:
    """Return the definition of the type that the endpoint has after a change.

    It is None for an unknown type. An endpoint keeps a type that is gone.
    """
    slug = (fields.get("type_slug") or endpoint.type).lower()
    is_kept = slug == endpoint.type and not endpoint._state.adding
    return definition_for(endpoint) if is_kept else find_named(slug)


def _find_faults(
    endpoint: WebhookEndpoint,
    definition: WebhookTypeDefinition,
    fields: EndpointFields,
) -> Iterator[Fault]:
    methods, config = fields.get("allowed_methods"), fields.get("config")
    if methods is None:
        methods = endpoint.allowed_methods
    yield from _find_method_faults(definition, methods)
    secret = (config or {}).get("secret")
    is_mask = secret == MASK  # that is a fault already
    for fault in () if is_mask else find_secret_faults(endpoint, definition, secret):
        yield Fault(f"/webhook_config{fault.pointer}", fault.detail)
    for fault in find_mask_faults(config or {}):
        yield Fault(f"/webhook_config{fault.pointer}", fault.detail)
    for fault in find_rule_faults(fields.get("validation_rules") or {}):
        yield Fault(f"/validation_rules{fault.pointer}", fault.detail)
    if (path := fields.get("path")) is not None:
        for fault in find_path_faults(path):
            yield Fault("/webhook_path", fault.detail)
    # What the type requires of the config is checked if a change concerns either.
    is_new, is_other_type = endpoint._state.adding, definition.slug != endpoint.type
    if is_new or is_other_type or config is not None:
        kept = endpoint.config if config is None else config
        secret = {"secret": True} if endpoint.secrets else {}
        yield from find_config_faults(definition, {**secret, **kept})
        yield from find_setting_faults(definition, kept)
    # A kept setting that a new type ignores is no reason to refuse that type.
    yield from find_useless_fields(definition, config or {})


def _find_method_faults(
    definition: WebhookTypeDefinition, methods: Sequence[str]
) -> Iterator[Fault]:
    possible = [name for name in METHODS if name in definition.default_methods]
    detail = f"{definition.name} can use: {', '.join(possible)}"
    if not methods:
        yield Fault("/allowed_methods", f"Name at least one method; {detail}")
    for index, method in enumerate(methods):
        if method.upper() not in possible:
            yield Fault(f"/allowed_methods/{index}", detail)
