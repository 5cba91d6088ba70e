"""Checks a config, a body and code against a webhook type, and previews a request."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.errors import Fault, InvalidInput, json_pointer
from common.fields import dump_json
from common.json_schema import TooCostly, UnusableSchema, find_value_faults
from senders import sandbox
from senders.definitions import GENERIC, WebhookTypeDefinition, get_shipped
from senders.parsing import (
    Finder,
    MalformedBody,
    ParsedBody,
    extract_fields,
    extract_identity,
    parse_sent,
)
from senders.parsing.cloudevents import (
    CLOUDEVENTS,
    find_event_faults,
    read_envelope,
)
from webhooks.types.catalogue import WebhookTypeNotFound
from webhooks.types.config_auth import AUTH, find_auth_faults
from webhooks.types.definitions import find_definition
from webhooks.types.event_filters import find_setting_faults

# The longest time that `Prefer: wait` may keep a sender waiting.
MAX_WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TypePreview:
    """The values that a type extracts from a request, and the faults that it finds.

    `code` is the result of its parser and its validation code. `parsed_data` is what
    conditions read as `parsed`, without the members that need a stored request.
    """

    event_type: str
    delivery_id: str | None
    body: object
    schema_faults: Sequence[Fault]
    config_faults: Sequence[Fault]
    code: Mapping[str, Any] = field(default_factory=dict)
    webhook_type: str = ""
    parsed_data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_valid(self) -> bool:
        """Return whether neither the schema, the config nor the code finds a fault."""
        is_accepted = self.code.get("is_valid", True) and "parse_error" not in self.code
        return is_accepted and not self.schema_faults and not self.config_faults


def find_config_faults(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    """Find invalid and missing fields of an endpoint's config.

    The secret may be missing if one is generated when the endpoint is created.
    """
    makes_secret = definition.signature is not None and definition.secret_on_creation
    for name in definition.required_config_fields:
        if name == "secret" and makes_secret:
            continue
        if config.get(name) in (None, ""):
            detail = f"{definition.name} requires '{name}' in webhook_config"
            yield Fault(json_pointer("webhook_config", name), detail)
    seconds = config.get("max_wait_seconds", 0)
    if type(seconds) is not int or not 0 <= seconds <= MAX_WAIT_SECONDS:
        detail = f"Must be a whole number from 0 to {MAX_WAIT_SECONDS}"
        yield Fault("/webhook_config/max_wait_seconds", detail)
    if definition.reply is not None and not isinstance(config.get("reply", {}), dict):
        detail = f"Must be an object that {definition.name} accepts as a reply"
        yield Fault("/webhook_config/reply", detail)
    if definition.config_auth:
        for fault in find_auth_faults(config.get(AUTH)):
            yield Fault(f"/webhook_config/{AUTH}{fault.pointer}", fault.detail)


def find_useless_fields(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    """Find settings that a shipped type ignores.

    The config of `generic` and of uploaded types is free: their code may read it.
    """
    slug = definition.slug
    if slug == GENERIC or definition is not get_shipped(slug):
        return
    if "reply" in config and definition.reply is None:
        detail = f"{definition.name} takes no reply; leave this out"
        yield Fault("/webhook_config/reply", detail)
    if AUTH in config and not definition.config_auth:
        detail = f"{definition.name} signs its requests; leave this out"
        yield Fault(f"/webhook_config/{AUTH}", detail)
    has_own_answer = (
        definition.response is not None or definition.response_format == "empty"
    )
    if "max_wait_seconds" in config and has_own_answer:
        detail = f"{definition.name} gets a fixed answer at once; leave this out"
        yield Fault("/webhook_config/max_wait_seconds", detail)


def find_body_faults(
    schema: Mapping[str, Any] | bool | None, value: object
) -> list[Fault]:
    """Return where a body differs from a schema; the check is bounded in time.

    Pointers begin with `/body`. A body that takes too long to check is a fault, too.
    """
    if schema is None or schema is True:
        return []
    if schema is False:
        return [Fault("/body", "The json_schema accepts no body")]
    try:
        faults = find_value_faults(schema, value)
    except TooCostly:
        return [Fault("/body", "Is too large to be checked against its json_schema")]
    except UnusableSchema:
        detail = "Cannot be checked: the json_schema is not usable"
        return [Fault("/body", detail)]
    return [Fault(f"/body{fault.pointer}", fault.detail) for fault in faults]


def find_code_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong with the code of an upload, without running it.

    Raises SandboxUnavailable.
    """
    kinds: dict[str, sandbox.CodeKind] = {
        "custom_parser_code": "parser",
        "validation_code": "validator",
    }
    for name, kind in kinds.items():
        if code := document.get(name):
            for fault in sandbox.find_code_faults(code, kind=kind):
                yield Fault(f"/{name}{fault.pointer}", fault.detail)


def preview_type(
    *,
    slug: str,
    headers: Mapping[str, str],
    body: object,
    query: Mapping[str, Any],
    config: Mapping[str, Any],
) -> TypePreview:
    """Return what a type makes of a request; the signature is not verified.

    A body that is a string is parsed by its Content-Type, any other is JSON. Nothing is
    stored. Raises WebhookTypeNotFound, and InvalidInput for a malformed body.
    """
    definition = find_definition(slug)
    if definition is None:
        raise WebhookTypeNotFound
    lowered = {name.lower(): text for name, text in headers.items()}
    raw, content_type, parsed = _read_body(definition, body, lowered)
    sent = Finder(headers=lowered, query=query, body=parsed.value)
    finder = read_envelope(definition.envelope, sent)
    identity = extract_identity(definition, finder, raw_body=raw, now=time.time())
    code = _run_code(definition, body=parsed.value, headers=lowered, config=config)
    extracted = extract_fields(definition.extract, finder, is_text=parsed.is_text)
    request_parts = {
        "service": definition.slug,
        "headers": lowered,
        "query_params": query,
        "body": parsed.value,
        "content_type": content_type or "unknown",
    }
    return TypePreview(
        event_type=identity.event_type,
        delivery_id=identity.delivery_id,
        body=parsed.value,
        schema_faults=_find_content_faults(definition, finder, parsed.value),
        config_faults=[
            *find_config_faults(definition, config),
            *find_useless_fields(definition, config),
            *find_setting_faults(definition, config),
        ],
        code=code,
        webhook_type=definition.slug,
        parsed_data={**extracted.values, **request_parts, **code.get("parsed", {})},
    )


def _read_body(
    definition: WebhookTypeDefinition, body: object, headers: Mapping[str, str]
) -> tuple[bytes, str, ParsedBody]:
    """Return the bytes of a body, their content type, and what they hold."""
    if isinstance(body, str):
        raw, content_type = body.encode(errors="replace"), headers.get("content-type")
    else:
        raw = b"" if body is None else dump_json(body).encode()
        content_type = "application/json"
    try:
        parsed = parse_sent(definition, raw, content_type or "")
    except MalformedBody as error:
        fault = Fault("/body", error.detail)
        raise InvalidInput(error.detail, faults=[fault]) from error
    return raw, content_type or "", parsed


def _find_content_faults(
    definition: WebhookTypeDefinition, sent: Finder, body: object
) -> list[Fault]:
    """Return what is wrong with a CloudEvent, and with a body of the type's schema."""
    faults = find_body_faults(definition.json_schema, body)
    if definition.envelope == CLOUDEVENTS:
        faults += find_event_faults(sent, is_batch=isinstance(body, list))
    return faults


def _run_code(
    definition: WebhookTypeDefinition,
    *,
    body: object,
    headers: Mapping[str, str],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return `parsed` and `is_valid`, or `parse_error` and `validation_error`.

    The keys of code that the type does not have are left out.
    """
    request: dict[str, Any] = {"body": body, "headers": headers, "config": config}
    result: dict[str, Any] = {}
    if code := definition.custom_parser_code:
        try:
            result["parsed"] = sandbox.run_parser(code, **request)
        except sandbox.SandboxRefused as error:
            result["parse_error"] = error.detail
    if code := definition.validation_code:
        try:
            result["is_valid"] = sandbox.run_validator(code, **request)
        except sandbox.SandboxRefused as error:
            result |= {"is_valid": False, "validation_error": error.detail}
    return result
