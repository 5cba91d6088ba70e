from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import Fault, InvalidInput
from webhooks.definitions.model import (
    ALWAYS_CREDENTIALS,
    DEFAULT_MAX_BODY_BYTES,
    BodySource,
    ConstantSource,
    HeaderSource,
    Source,
    WebhookTypeDefinition,
)
from webhooks.definitions.scheme_loading import load_scheme
from webhooks.definitions.schemes import SignatureScheme, TokenScheme
from webhooks.definitions.validation import find_faults


class InvalidDefinition(InvalidInput):
    """The webhook type is not described correctly."""

    code = "invalid_webhook_type"


def load_definition(data: Mapping[str, Any]) -> WebhookTypeDefinition:
    """Turn the JSON document of a webhook type into its definition.

    Raise InvalidDefinition, with the place of each fault.
    """
    if faults := find_faults(data):
        raise InvalidDefinition(faults=faults)
    scheme = _load_signature(data)
    return WebhookTypeDefinition(
        slug=data["slug"].lower(),
        name=data["name"],
        description=data.get("description", ""),
        documentation_url=data.get("documentation_url", ""),
        signature=scheme,
        signature_required=data.get("signature_required", False),
        event_type=_load_sources(data.get("event_type", [])),
        delivery_id=_load_sources(data.get("delivery_id", [])),
        default_methods=tuple(data.get("default_methods", ["POST"])),
        max_body_bytes=int(data.get("max_body_bytes", DEFAULT_MAX_BODY_BYTES)),
        response_format=data.get("response_format", "json"),
        form_json_field=data.get("form_json_field"),
        credential_headers=_credential_headers(data, scheme),
    )


def _load_signature(data: Mapping[str, Any]) -> SignatureScheme | None:
    try:
        scheme = load_scheme(data.get("signature", {"kind": "none"}))
    except ValueError as error:
        raise InvalidDefinition(
            faults=[Fault("/signature/signed", str(error))]
        ) from error
    if scheme is None and data.get("signature_required", False):
        fault = Fault("/signature_required", "there is no signature to require")
        raise InvalidDefinition(faults=[fault])
    return scheme


def _load_sources(items: list[Mapping[str, str]]) -> tuple[Source, ...]:
    return tuple(
        _load_source(kind, value) for item in items for kind, value in item.items()
    )


def _load_source(kind: str, value: str) -> Source:
    if kind == "header":
        return HeaderSource(name=value)
    if kind == "body":
        return BodySource(path=_parse_pointer(value))
    return ConstantSource(value=value)


def _parse_pointer(pointer: str) -> tuple[str, ...]:
    tokens = pointer.split("/")[1:]
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def _credential_headers(
    data: Mapping[str, Any], scheme: SignatureScheme | None
) -> frozenset[str]:
    named = list(data.get("credential_headers", []))
    if isinstance(scheme, TokenScheme):
        named.extend(scheme.read_from.headers)
    return ALWAYS_CREDENTIALS | {name.lower() for name in named}
