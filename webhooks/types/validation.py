"""The one place where types and the sandbox that runs their code meet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.errors import Fault, InvalidInput, json_pointer
from common.fields import dump_json
from common.json_schema import TooCostly, UnusableSchema, find_value_faults
from senders import sandbox
from senders.definitions import WebhookTypeDefinition
from senders.parsing import Finder, MalformedBody, ParsedBody, extract, parse_body
from webhooks.types.catalogue import WebhookTypeNotFound
from webhooks.types.definitions import find_definition

TOO_COSTLY = "Is too large to be held against its json_schema"
UNUSABLE = "Can't be held against its json_schema: that is not usable"


def find_body_faults(definition: WebhookTypeDefinition, value: object) -> list[Fault]:
    """Return where a body differs from its type's schema."""
    return hold_against(definition.json_schema, value)


def hold_against(schema: Mapping[str, Any] | bool | None, value: object) -> list[Fault]:
    """Return where a body differs from a schema; bounded in time.

    Pointers begin with `/body`. A body that takes too long to check is at fault, too.
    """
    if schema is None or schema is True:
        return []
    if schema is False:
        return [Fault("/body", "No body at all is taken")]
    try:
        faults = find_value_faults(schema, value)
    except TooCostly:
        return [Fault("/body", TOO_COSTLY)]
    except UnusableSchema:
        return [Fault("/body", UNUSABLE)]
    return [Fault(f"/body{fault.pointer}", fault.detail) for fault in faults]


# As long as `Prefer: wait` may keep a sender waiting.
MAX_WAIT_SECONDS = 10


def find_config_faults(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    """Find what is wrong with an endpoint's config, or is not there and has to be.

    A secret need not be there where one is made unasked.
    """
    yield from _find_missing(definition, config)
    seconds = config.get("max_wait_seconds", 0)
    if type(seconds) is not int or not 0 <= seconds <= MAX_WAIT_SECONDS:
        detail = f"Must be a whole number up to {MAX_WAIT_SECONDS}"
        yield Fault("/webhook_config/max_wait_seconds", detail)
    if definition.reply is not None and not isinstance(config.get("reply", {}), dict):
        yield Fault(
            "/webhook_config/reply", f"Must be what {definition.name} takes: {{}}"
        )


def _find_missing(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    makes_secret = definition.signature is not None and definition.secret_on_creation
    for name in definition.required_config_fields:
        if name == "secret" and makes_secret:
            continue
        if config.get(name) in (None, ""):
            detail = f"{definition.name} requires '{name}' in webhook_config"
            yield Fault(json_pointer("webhook_config", name), detail)


def find_code_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong with the code of an upload; nothing of it is called.

    Raises SandboxUnavailable.
    """
    if code := document.get("custom_parser_code"):
        yield from _find("custom_parser_code", code, "parser")
    if code := document.get("validation_code"):
        yield from _find("validation_code", code, "validator")


def run_code(
    definition: WebhookTypeDefinition,
    *,
    body: object,
    headers: Mapping[str, str],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the code of a type makes of a request, as `parsed` and `is_valid`.

    Both are left out where the type has no such code; `parse_error` and
    `validation_error` say why code failed.
    """
    given: dict[str, Any] = {"body": body, "headers": headers, "config": config}
    told: dict[str, Any] = {}
    if code := definition.custom_parser_code:
        try:
            told["parsed"] = sandbox.run_parser(code, **given)
        except sandbox.SandboxRefused as error:
            told["parse_error"] = error.detail
    if code := definition.validation_code:
        try:
            told["is_valid"] = sandbox.run_validator(code, **given)
        except sandbox.SandboxRefused as error:
            told |= {"is_valid": False, "validation_error": error.detail}
    return told


def _find(field: str, code: str, kind: sandbox.CodeKind) -> Iterator[Fault]:
    for fault in sandbox.find_code_faults(code, kind=kind):
        yield Fault(f"/{field}{fault.pointer}", fault.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a type makes of a request, if an endpoint of the type let it in.

    `code` is what its parser and validation code say.
    """

    event_type: str
    delivery_id: str | None
    body: object
    schema_faults: Sequence[Fault]
    config_faults: Sequence[Fault]
    code: Mapping[str, Any] = field(default_factory=dict)


def try_type(
    *,
    slug: str,
    headers: Mapping[str, str],
    body: object,
    query: Mapping[str, Any],
    config: Mapping[str, Any],
) -> Trial:
    """Say what a type makes of a request; its signature is not looked at.

    A body that is a text is read by the Content-Type, any other is JSON. Nothing is
    stored. Raises WebhookTypeNotFound, InvalidInput for a body that can't be read.
    """
    definition = find_definition(slug)
    if definition is None:
        raise WebhookTypeNotFound
    lowered = {name.lower(): text for name, text in headers.items()}
    raw = body.encode(errors="replace") if isinstance(body, str) else _dump(body)
    parsed = _parse(definition, raw, lowered, is_text=isinstance(body, str))
    finder = Finder(headers=lowered, query=query, body=parsed.value)
    identity = extract(definition, finder, raw_body=raw, now=time.time())
    return Trial(
        event_type=identity.event_type,
        delivery_id=identity.delivery_id,
        body=parsed.value,
        schema_faults=find_body_faults(definition, parsed.value),
        config_faults=list(find_config_faults(definition, config)),
        code=run_code(definition, body=parsed.value, headers=lowered, config=config),
    )


def _dump(body: object) -> bytes:
    return b"" if body is None else dump_json(body).encode()


def _parse(
    definition: WebhookTypeDefinition,
    raw: bytes,
    headers: Mapping[str, str],
    *,
    is_text: bool,
) -> ParsedBody:
    content_type = headers.get("content-type", "") if is_text else "application/json"
    try:
        return parse_body(raw, content_type, form_json_field=definition.form_json_field)
    except MalformedBody as error:
        fault = Fault("/body", error.detail)
        raise InvalidInput(error.detail, faults=[fault]) from error
