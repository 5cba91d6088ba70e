from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from senders.definitions.answers import Answer, Reply
from senders.definitions.handshakes import (
    ConfigMatch,
    Confirmation,
    Handshake,
    Response,
)
from senders.definitions.schemes import SignatureScheme
from senders.definitions.sources import Source

DEFAULT_MAX_BODY_BYTES = 10 * 1024 * 1024
ALWAYS_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
# Query parameters that OAuth (RFC 6750, section 2.3) and forms send credentials in.
CREDENTIAL_PARAMETERS = frozenset({"access_token", "client_secret", "password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Bodies of one content type are JSON arrays; each item is an event of its own."""

    content_type: str
    item_content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTypeDefinition:
    """Everything the door needs to know about one kind of sender.

    `event_type` and `delivery_id` are asked in order; the first that yields a text
    counts. `signature` is None for a sender that signs nothing; `secret_on_creation`
    says whether a new endpoint gets a secret unasked. `default_methods` is what the
    type allows at most. Names in `credential_headers` are lower-case. With
    `body_varies` a redelivery may carry another body (a counter of attempts): the same
    id is then a duplicate whatever the body. What was accepted is answered by the first
    of `responses` that fits, else by `response`; None for ours.
    """

    slug: str
    name: str
    description: str = ""
    documentation_url: str = ""
    signature: SignatureScheme | None = None
    signature_required: bool = False
    secret_on_creation: bool = True
    event_type: tuple[Source, ...] = ()
    delivery_id: tuple[Source, ...] = ()
    body_varies: bool = False
    batch: Batch | None = None
    default_methods: tuple[str, ...] = ("POST",)
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    response_format: str = "json"
    responses: tuple[Response, ...] = ()
    response: Answer | None = None
    reply: Reply | None = None
    handshakes: tuple[Handshake, ...] = ()
    confirmation: Confirmation | None = None
    form_json_field: str | None = None
    credential_headers: frozenset[str] = ALWAYS_CREDENTIALS
    json_schema: Mapping[str, Any] | bool | None = field(default=None, hash=False)
    required_config_fields: tuple[str, ...] = ()
    config_matches: tuple[ConfigMatch, ...] = ()
    validation_required: bool = False
    parser: str = ""
    custom_parser_code: str = ""
    validation_code: str = ""
