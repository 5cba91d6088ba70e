from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from common.errors import Fault, InvalidInput
from common.json_schema import UnusableSchema, find_schema_faults, find_value_faults
from senders.definitions.answers import (
    Answer,
    ConfigMatch,
    Confirmation,
    Handshake,
    Reply,
    Response,
    load_answer,
    load_confirmation,
    load_handshake,
    load_matches,
    load_reply,
    load_response,
)
from senders.definitions.extraction import (
    ExtractedField,
    find_extraction_faults,
    load_extraction,
)
from senders.definitions.scheme_loading import load_scheme
from senders.definitions.schemes import (
    SignatureScheme,
    headers_with_secret,
    is_in_body,
    parameters_with_secret,
)
from senders.definitions.sources import (
    ConstantSource,
    Source,
    load_sources,
    parameters_of,
    parse_pointer,
    possible_texts,
)

DEFAULT_MAX_BODY_BYTES = 10 * 1024 * 1024
ALWAYS_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
# Query parameters that OAuth (RFC 6750, section 2.3) and forms send credentials in.
CREDENTIAL_PARAMETERS = frozenset({"access_token", "client_secret", "password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFormat:
    """The content type of bodies that are JSON arrays, and that of their items.

    Each item becomes a separate event.
    """

    content_type: str
    item_content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigField:
    """A text in an endpoint's config: its pattern (RE2), and the message otherwise."""

    name: str
    pattern: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTypeDefinition:
    """Everything the receiver needs to know about one kind of sender.

    `aliases` are other names for the newest of several types of one sender.
    `event_type` and `delivery_id` are tried in order; the first source that yields a
    text counts. `events` are all event types that the sender sends, without the slug;
    None if they are not known. `extract` has the fields that conditions and agents get
    as `parsed`. `signature` is None for a sender that does not sign;
    `secret_on_creation` says whether a new endpoint gets a secret by default.
    `default_methods` are the most that an endpoint of this type can allow. Names in
    `credential_headers` and `credential_query` are lower-case: their values are never
    stored. With `body_varies`, a redelivery may carry
    another body: it is a duplicate if its id, its event type and the members outside
    `varying` (such as a counter of attempts) are the same; of None, whatever the body.
    With `config_auth`, an endpoint's config can require a fixed login (`auth`).
    With `envelope` (`cloudevents`), a request must be an event of that format.
    `event_filter` is a key of the config that lists the events to accept, like
    `filter_events`. With `any_body`, a body that is declared as JSON and is not JSON is
    text. Accepted deliveries get the first of `responses` whose criteria match, else
    `response`; None stands for Tickhook's own answer.
    """

    slug: str
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    documentation_url: str = ""
    signature: SignatureScheme | None = None
    signature_required: bool = False
    secret_on_creation: bool = True
    event_type: tuple[Source, ...] = ()
    events: frozenset[str] | None = None
    delivery_id: tuple[Source, ...] = ()
    body_varies: bool = False
    varying: tuple[tuple[str, ...], ...] | None = None
    batch: BatchFormat | None = None
    envelope: str = ""
    default_methods: tuple[str, ...] = ("POST",)
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    response_format: str = "json"
    responses: tuple[Response, ...] = ()
    response: Answer | None = None
    reply: Reply | None = None
    handshakes: tuple[Handshake, ...] = ()
    confirmation: Confirmation | None = None
    form_json_field: str | None = None
    extract: tuple[ExtractedField, ...] = ()
    any_body: bool = False
    credential_headers: frozenset[str] = ALWAYS_CREDENTIALS
    credential_query: frozenset[str] = CREDENTIAL_PARAMETERS
    json_schema: Mapping[str, Any] | bool | None = field(default=None, hash=False)
    required_config_fields: tuple[str, ...] = ()
    config_matches: tuple[ConfigMatch, ...] = ()
    config_auth: bool = False
    config_fields: tuple[ConfigField, ...] = ()
    event_filter: str = ""
    validation_required: bool = False
    parser: str = ""
    custom_parser_code: str = ""
    validation_code: str = ""

    @property
    def has_event_types(self) -> bool:
        """Whether events can have different types."""
        return any(not isinstance(one, ConstantSource) for one in self.event_type)


class InvalidDefinition(InvalidInput):
    """The document of the webhook type is not valid."""

    code = "invalid_webhook_type"


def load_definition(data: Mapping[str, Any]) -> WebhookTypeDefinition:
    """Return the definition that the JSON document of a webhook type describes.

    Raise InvalidDefinition with a JSON Pointer to each fault.
    """
    if faults := [*find_document_faults(data), *_find_json_schema_faults(data)]:
        raise InvalidDefinition(faults=faults)
    if faults := list(find_extraction_faults(data.get("extract", {}))):
        raise InvalidDefinition(faults=faults)
    scheme = _load_signature(data)
    if scheme is not None and (faults := list(_find_oracles(data))):
        raise InvalidDefinition(faults=faults)
    credentials = [*data.get("credential_headers", []), *headers_with_secret(scheme)]
    parameters = _load_credential_query(data, scheme)
    varying: bool | list[str] = data.get("body_varies", False)
    return WebhookTypeDefinition(
        slug=data["slug"].lower(),
        name=data["name"],
        aliases=tuple(data.get("aliases", [])),
        description=data.get("description", ""),
        documentation_url=data.get("documentation_url", ""),
        signature=scheme,
        signature_required=data.get("signature_required", False),
        secret_on_creation=data.get("secret_on_creation", True),
        event_type=load_sources(data.get("event_type", [])),
        events=_load_events(data),
        delivery_id=load_sources(data.get("delivery_id", [])),
        body_varies=varying is not False,
        varying=(
            None if isinstance(varying, bool) else tuple(map(parse_pointer, varying))
        ),
        batch=BatchFormat(**data["batch"]) if "batch" in data else None,
        envelope=data.get("envelope", ""),
        default_methods=tuple(data.get("default_methods", ["POST"])),
        max_body_bytes=int(data.get("max_body_bytes", DEFAULT_MAX_BODY_BYTES)),
        response_format=data.get("response_format", "json"),
        form_json_field=data.get("form_json_field"),
        extract=load_extraction(data.get("extract", {})),
        any_body=data.get("any_body", False),
        credential_headers=ALWAYS_CREDENTIALS | set(map(str.lower, credentials)),
        credential_query=CREDENTIAL_PARAMETERS | parameters,
        **_load_answers(data),
        **_load_validation(data),
    )


def _load_credential_query(
    data: Mapping[str, Any], scheme: SignatureScheme | None
) -> frozenset[str]:
    """Return the parameters, in lower case, that prove the sender's identity.

    Raise InvalidDefinition if the event type or the delivery id, which are stored, are
    read from one of them.
    """
    matches = load_matches(data.get("config_matches", []))
    named = [*data.get("credential_query", []), *parameters_with_secret(scheme)]
    found = frozenset(map(str.lower, named)).union(
        *(parameters_of(match.source) for match in matches)
    )
    for field_name in ("event_type", "delivery_id"):
        for index, source in enumerate(load_sources(data.get(field_name, []))):
            if found.intersection(parameters_of(source)):
                detail = "is stored, so it cannot be read from a credential"
                fault = Fault(f"/{field_name}/{index}", detail)
                raise InvalidDefinition(faults=[fault])
    return found


def _load_events(data: Mapping[str, Any]) -> frozenset[str] | None:
    if "events" in data:
        return frozenset(data["events"])
    possible = [possible_texts(one) for one in load_sources(data.get("event_type", []))]
    known = [texts for texts in possible if texts is not None]
    return frozenset().union(*known) if len(known) == len(possible) else None


def _load_answers(data: Mapping[str, Any]) -> dict[str, Any]:
    confirmation = data.get("confirmation")
    return {
        "responses": tuple(map(load_response, data.get("responses", []))),
        "response": load_answer(data["response"]) if "response" in data else None,
        "reply": load_reply(data["reply"]) if "reply" in data else None,
        "handshakes": tuple(map(load_handshake, data.get("handshakes", []))),
        "confirmation": load_confirmation(confirmation) if confirmation else None,
    }


def _load_validation(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "json_schema": data.get("json_schema"),
        "required_config_fields": tuple(data.get("required_config_fields", [])),
        "config_matches": load_matches(data.get("config_matches", [])),
        "config_auth": data.get("config_auth", False),
        "config_fields": tuple(
            ConfigField(name=name, **field)
            for name, field in data.get("config_fields", {}).items()
        ),
        "event_filter": data.get("event_filter", ""),
        "validation_required": data.get("validation_required", False),
        "parser": data.get("parser", ""),
        "custom_parser_code": data.get("custom_parser_code") or "",
        "validation_code": data.get("validation_code") or "",
    }


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
        detail = (
            "cannot be combined with a signature in the body, which is read from the "
            "form and not from the JSON in this field"
        )
        raise InvalidDefinition(faults=[Fault("/form_json_field", detail)])
    return scheme


def find_document_faults(data: Mapping[str, Any]) -> list[Fault]:
    """Return where the document violates `schema.json`, at most 20 places."""
    try:
        return find_value_faults(_document_schema(), data)
    except UnusableSchema:  # jsonschema quotes the value, however deep it is
        return [Fault("", "is nested too deeply")]


@cache
def _document_schema() -> Mapping[str, Any]:
    file = files(__package__).joinpath("schema.json")
    schema: Mapping[str, Any] = json.loads(file.read_bytes())
    return schema


def _find_json_schema_faults(data: Mapping[str, Any]) -> list[Fault]:
    schema = data.get("json_schema")
    if not isinstance(schema, dict):
        return []
    return [
        Fault(f"/json_schema{fault.pointer}", fault.detail)
        for fault in find_schema_faults(schema)
    ]


def _find_oracles(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Find unsigned handshakes whose answer signs text of an unverified request."""
    for index, handshake in enumerate(data.get("handshakes", [])):
        if handshake.get("signed", True):
            continue
        if "{hmac_" in json.dumps(handshake["answer"]):
            detail = "the answer to an unsigned handshake cannot contain a keyed hash"
            yield Fault(f"/handshakes/{index}/answer", detail)
