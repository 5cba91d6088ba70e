"""A request to a webhook: what arrives, and what the checks add to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, quote, unquote_plus
from uuid import UUID

from django.db import Error, connection
from django.http import HttpRequest

from common.addresses import Address, parse_address
from common.database.errors import drop_connection, is_unavailable
from common.errors import TickhookError, clean_text
from senders.definitions import WebhookTypeDefinition
from senders.definitions.answers import Handshake
from senders.parsing import (
    BodyKind,
    DeliveryIdentity,
    Finder,
    ParsedBody,
    decode_body,
    extract_identity,
    parse_sent,
)
from senders.parsing.cloudevents import read_envelope
from senders.parsing.forms import collect
from webhooks.endpoints.secrets import THROW_AWAY_SECRET
from webhooks.models import WebhookEndpoint, WebhookType
from webhooks.types.config_auth import ConfigAuth, auth_of

MAX_QUERY_FIELDS = 1000
HIDDEN = "[secret]"
MIN_HIDDEN_LENGTH = 12


class BodyTooLarge(TickhookError):
    """The body is larger than this endpoint accepts."""

    code = "body_too_large"
    http_status = 413

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"At most {limit:,} bytes are accepted here")


class MalformedRequest(TickhookError):
    """The request cannot be read."""

    code = "malformed_request"
    http_status = 400


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The query and the body of a request, parsed.

    `data` is the body without its Content-Encoding.
    """

    query: Mapping[str, object]
    data: bytes
    parsed: ParsedBody


NOT_PARSED = Content(
    query={}, data=b"", parsed=ParsedBody(value=None, kind=BodyKind.EMPTY)
)


@dataclass(slots=True, kw_only=True)
class WebhookRequest:
    """One request to an endpoint.

    Header names are in lower case, values as they were sent (latin-1). The checks set
    the fields below the comment, in that order; each stays at its default until then.
    """

    endpoint: WebhookEndpoint
    definition: WebhookTypeDefinition
    method: str
    url: str
    headers: Mapping[str, str]
    query_string: str
    content_length: str
    remote_address: str
    address: Address | None
    is_https: bool
    stream: Readable = field(repr=False)
    # The key that verifies this test event, made for it by this process.
    throw_away_secret: str = field(default="", repr=False)
    # Set by webhooks.receiver.checks.
    body: bytes = field(default=b"", repr=False)
    body_size: int | None = None
    is_verified: bool = False
    limit_headers: Mapping[str, str] = field(default_factory=dict)
    content: Content = field(default=NOT_PARSED, repr=False)
    handshake: Handshake | None = None
    is_validated: bool = False

    @property
    def content_type(self) -> str:
        return self.headers["content-type"]

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.endpoint.config
        return config

    @property
    def auth(self) -> ConfigAuth | None:
        """The login that the endpoint requires in addition to a signature."""
        return auth_of(self.definition, self.config)

    @property
    def credential_headers(self) -> frozenset[str]:
        """The headers that are never stored, in lower case."""
        headers = self.definition.credential_headers
        return headers if (auth := self.auth) is None else headers | {auth.header}

    @property
    def finder(self) -> Finder:
        finder = Finder(
            headers=self.headers,
            query=self.content.query,
            body=self.content.parsed.value,
        )
        return read_envelope(self.definition.envelope, finder)


def open_request(
    http: HttpRequest,
    *,
    endpoint: WebhookEndpoint,
    definition: WebhookTypeDefinition,
    url: str,
) -> WebhookRequest:
    """Return the request to an endpoint; its body is not read yet."""
    meta: Mapping[str, Any] = http.META
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in meta.items()
        if name.startswith("HTTP_")
    }
    headers["content-type"] = meta.get("CONTENT_TYPE", "")
    remote_address = meta.get("REMOTE_ADDR", "")
    return WebhookRequest(
        endpoint=endpoint,
        definition=definition,
        method=http.method or "",
        url=url,
        headers=headers,
        query_string=meta.get("QUERY_STRING", ""),
        content_length=meta.get("CONTENT_LENGTH") or "",
        remote_address=remote_address,
        address=parse_address(remote_address),
        is_https=http.is_secure(),
        stream=meta["wsgi.input"],
        throw_away_secret=meta.get(THROW_AWAY_SECRET, ""),
    )


def read_body(request: WebhookRequest) -> bytes:
    """Return the raw body; raise BodyTooLarge without reading more than the limit."""
    limit, length = request.definition.max_body_bytes, _announced_length(request)
    if length is not None and length > limit:
        raise BodyTooLarge(limit=limit)
    size = limit + 1 if length is None else length
    body = request.stream.read(size) if size else b""
    if len(body) > limit:
        raise BodyTooLarge(limit=limit)
    if length is not None and len(body) < length:
        raise MalformedRequest("The body is shorter than its Content-Length")
    return body


def _announced_length(request: WebhookRequest) -> int | None:
    """Return the Content-Length; None for a body that is sent in chunks."""
    if not request.content_length and request.headers.get("transfer-encoding"):
        return None
    try:
        return max(0, int(request.content_length or 0))
    except ValueError as error:
        raise MalformedRequest("Content-Length is not a number") from error


def parse_query(request: WebhookRequest) -> dict[str, object]:
    try:
        pairs = parse_qsl(
            request.query_string,
            keep_blank_values=True,
            errors="replace",
            max_num_fields=MAX_QUERY_FIELDS,
        )
    except ValueError as error:
        raise MalformedRequest("The query has too many fields") from error
    return collect(pairs)


def parse_content(request: WebhookRequest) -> Content:
    """Parse the query and the body that was read; raise MalformedRequest or
    MalformedBody.
    """
    query = parse_query(request)
    data = decode_body(request.body, request.headers.get("content-encoding", ""))
    parsed = parse_sent(request.definition, data, request.content_type)
    return Content(query=query, data=data, parsed=parsed)


def identify(request: WebhookRequest) -> DeliveryIdentity:
    """Return the event type and the delivery id of a parsed request."""
    return extract_identity(
        request.definition, request.finder, raw_body=request.body, now=time.time()
    )


def storable_headers(request: WebhookRequest) -> dict[str, str]:
    """Return the headers that may be stored: none that carries a credential.

    Some proxies and clients repeat the URL in a header; the credentials of its query
    are replaced there.
    """
    secret = request.credential_headers
    sent = _credentials_in_query(request) if request.query_string else []
    kept = {}
    for name, value in request.headers.items():
        if name in secret:
            continue
        for credential in sent:
            value = value.replace(credential, HIDDEN)
        kept[name] = clean_text(value, limit=8192)
    return kept


def storable_query(request: WebhookRequest) -> dict[str, object]:
    """Return the query parameters that may be stored: none that is a credential."""
    secret = request.definition.credential_query
    return {
        name: value
        for name, value in request.content.query.items()
        if name.lower() not in secret
    }


def _credentials_in_query(request: WebhookRequest) -> list[str]:
    """Return the texts by which a header would repeat a credential of the query.

    These are the parameter as sent, decoded and encoded once more, and its value unless
    that is so short that other texts contain it by chance.
    """
    secret, found = request.definition.credential_query, set[str]()
    for pair in request.query_string.split("&"):
        name, _, value = pair.partition("=")
        if not value or unquote_plus(name).lower() not in secret:
            continue
        texts = (pair, value) if len(value) >= MIN_HIDDEN_LENGTH else (pair,)
        for text in texts:
            found |= {text, unquote_plus(text), quote(text, safe="")}
    return sorted(found, key=len, reverse=True)


# The columns that the receiver reads; people edit the others.
_COLUMNS = (
    "id",
    "webhook_id",
    "type",
    "secrets",
    "config",
    "allowed_methods",
    "validation_rules",
    "subject",
    "is_active",
)


def find_endpoints(webhook_ids: Collection[str]) -> dict[str, WebhookEndpoint]:
    """Return the active endpoints as they are stored now; other columns are deferred.

    A disabled endpoint is not found, like an unknown one. The current revision of each
    type is read with the endpoint, so that a changed type applies at once. The SQL is
    built only once: building it with the ORM took a quarter of the time of a whole
    request.
    """
    # PostgreSQL refuses NUL in a text.
    wanted = [one for one in webhook_ids if "\x00" not in one]
    if not wanted:
        return {}
    try:
        return _read_endpoints(wanted)
    except Error as error:
        if not is_unavailable(error):
            raise
        # If the server was restarted, the first statement on a thread's old connection
        # fails. Nothing has been written yet, so it can be repeated.
        drop_connection()
        return _read_endpoints(wanted)


def _read_endpoints(webhook_ids: Sequence[str]) -> dict[str, WebhookEndpoint]:
    is_one = len(webhook_ids) == 1
    wanted = webhook_ids[0] if is_one else list(webhook_ids)
    with connection.cursor() as cursor:
        cursor.execute(_find_sql(is_one=is_one), [wanted])
        found = [_from_row(row) for row in cursor.fetchall()]
    return {endpoint.webhook_id: endpoint for endpoint in found}


@cache
def _find_sql(*, is_one: bool) -> str:
    """Return the query; for one endpoint with `=`, which takes half the time of ANY."""
    wanted = "= %s" if is_one else "= ANY(%s)"
    columns = ", ".join(f'endpoint."{name}"' for name in _COLUMNS)
    return (
        f"SELECT {columns}, type.current_id "  # noqa: S608 - names of our own models
        f'FROM "{WebhookEndpoint._meta.db_table}" endpoint '
        f'LEFT JOIN "{WebhookType._meta.db_table}" type ON type.slug = endpoint.type '
        f"WHERE endpoint.webhook_id {wanted} AND endpoint.is_active"
    )


@cache
def _converters() -> list[tuple[int, Callable[..., object]]]:
    """Return the functions that convert values of a row, with their positions."""
    fields = {field.name: field for field in WebhookEndpoint._meta.concrete_fields}
    return [
        (position, convert)
        for position, name in enumerate(_COLUMNS)
        for convert in fields[name].get_db_converters(connection)
    ]


def _from_row(row: Sequence[object]) -> WebhookEndpoint:
    *values, revision = row
    for position, convert in _converters():
        values[position] = convert(values[position], None, connection)
    endpoint = WebhookEndpoint.from_db(connection.alias, _COLUMNS, values)
    endpoint.type_revision = cast("UUID | None", revision)  # the type of its column
    return endpoint
