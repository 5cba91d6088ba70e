from __future__ import annotations

from dataclasses import dataclass

from webhooks.definitions.schemes import SignatureScheme

DEFAULT_MAX_BODY_BYTES = 10 * 1024 * 1024
ALWAYS_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSource:
    """The value of a header, by its name in any case."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySource:
    """The value at a JSON Pointer (RFC 6901) of the parsed body."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantSource:
    value: str


Source = HeaderSource | BodySource | ConstantSource


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTypeDefinition:
    """Everything the door needs to know about one kind of sender.

    `event_type` and `delivery_id` are asked in order; the first that yields a text
    counts. `signature` is None for a sender that signs nothing. `default_methods`
    is what the type allows at most. Names in `credential_headers` are lower-case.
    """

    slug: str
    name: str
    description: str = ""
    documentation_url: str = ""
    signature: SignatureScheme | None = None
    signature_required: bool = False
    event_type: tuple[Source, ...] = ()
    delivery_id: tuple[Source, ...] = ()
    default_methods: tuple[str, ...] = ("POST",)
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    response_format: str = "json"
    form_json_field: str | None = None
    credential_headers: frozenset[str] = ALWAYS_CREDENTIALS
