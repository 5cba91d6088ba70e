from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.errors import Fault, InvalidInput
from common.fields import dump_json
from senders.definitions import WebhookTypeDefinition
from senders.parsing import (
    Finder,
    MalformedBody,
    ParsedBody,
    extract_identity,
    parse_body,
)
from webhooks.types.catalogue import WebhookTypeNotFound
from webhooks.types.code import run_code
from webhooks.types.config import find_config_faults
from webhooks.types.definitions import find_definition
from webhooks.types.schemas import find_body_faults


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
    identity = extract_identity(definition, finder, raw_body=raw, now=time.time())
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
