from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from common.errors import Fault, InvalidInput
from common.json_schema import find_schema_faults
from senders.definitions.answers import load_answer, load_reply
from senders.definitions.handshakes import (
    Confirmation,
    load_confirmation,
    load_handshake,
    load_matches,
    load_response,
)
from senders.definitions.model import (
    ALWAYS_CREDENTIALS,
    DEFAULT_MAX_BODY_BYTES,
    Batch,
    WebhookTypeDefinition,
)
from senders.definitions.scheme_loading import load_scheme
from senders.definitions.schemes import (
    SignatureScheme,
    headers_with_secret,
    is_in_body,
)
from senders.definitions.sources import load_sources
from senders.definitions.validation import find_faults


class InvalidDefinition(InvalidInput):
    """The webhook type is not described correctly."""

    code = "invalid_webhook_type"


def load_definition(data: Mapping[str, Any]) -> WebhookTypeDefinition:
    """Turn the JSON document of a webhook type into its definition.

    Raise InvalidDefinition, with the place of each fault.
    """
    if faults := [*find_faults(data), *_find_json_schema_faults(data)]:
        raise InvalidDefinition(faults=faults)
    scheme = _load_signature(data)
    if scheme is not None and (faults := list(_find_oracles(data))):
        raise InvalidDefinition(faults=faults)
    return WebhookTypeDefinition(
        slug=data["slug"].lower(),
        name=data["name"],
        description=data.get("description", ""),
        documentation_url=data.get("documentation_url", ""),
        signature=scheme,
        signature_required=data.get("signature_required", False),
        secret_on_creation=data.get("secret_on_creation", True),
        event_type=load_sources(data.get("event_type", [])),
        delivery_id=load_sources(data.get("delivery_id", [])),
        body_varies=data.get("body_varies", False),
        batch=Batch(**data["batch"]) if "batch" in data else None,
        default_methods=tuple(data.get("default_methods", ["POST"])),
        max_body_bytes=int(data.get("max_body_bytes", DEFAULT_MAX_BODY_BYTES)),
        response_format=data.get("response_format", "json"),
        form_json_field=data.get("form_json_field"),
        credential_headers=_credential_headers(data, scheme),
        **_load_talk(data),
        **_load_validation(data),
    )


def _load_talk(data: Mapping[str, Any]) -> dict[str, Any]:
    """Load what is answered, and to what."""
    return {
        "responses": tuple(map(load_response, data.get("responses", []))),
        "response": load_answer(data["response"]) if "response" in data else None,
        "reply": load_reply(data["reply"]) if "reply" in data else None,
        "handshakes": tuple(map(load_handshake, data.get("handshakes", []))),
        "confirmation": _load_confirmation(data),
    }


def _load_confirmation(data: Mapping[str, Any]) -> Confirmation | None:
    return load_confirmation(data["confirmation"]) if "confirmation" in data else None


def _load_validation(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "json_schema": data.get("json_schema"),
        "required_config_fields": tuple(data.get("required_config_fields", [])),
        "config_matches": load_matches(data.get("config_matches", [])),
        "validation_required": data.get("validation_required", False),
        "parser": data.get("parser", ""),
        "custom_parser_code": data.get("custom_parser_code") or "",
        "validation_code": data.get("validation_code") or "",
    }


def _find_json_schema_faults(data: Mapping[str, Any]) -> list[Fault]:
    schema = data.get("json_schema")
    if not isinstance(schema, dict):
        return []
    return [
        Fault(f"/json_schema{fault.pointer}", fault.detail)
        for fault in find_schema_faults(schema)
    ]


def _find_oracles(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Find unsigned handshakes that would sign whatever a stranger sends."""
    for place, handshake in enumerate(data.get("handshakes", [])):
        if handshake.get("signed", True):
            continue
        if "{hmac_" in json.dumps(handshake["answer"]):
            detail = "a keyed hash is no answer to a request that is not signed"
            yield Fault(f"/handshakes/{place}/answer", detail)


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
    if data.get("form_json_field") and is_in_body(scheme):
        detail = "the signature lies in other fields than those of the JSON within"
        raise InvalidDefinition(faults=[Fault("/form_json_field", detail)])
    return scheme


def _credential_headers(
    data: Mapping[str, Any], scheme: SignatureScheme | None
) -> frozenset[str]:
    named = [*data.get("credential_headers", []), *headers_with_secret(scheme)]
    return ALWAYS_CREDENTIALS | {name.lower() for name in named}
