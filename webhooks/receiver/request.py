from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest

from common.addresses import Address, parse_address
from common.errors import TickhookError
from senders.definitions import WebhookTypeDefinition
from senders.definitions.answers import Handshake
from senders.parsing import (
    DeliveryIdentity,
    Finder,
    MalformedBody,
    ParsedBody,
    decode_body,
    extract_identity,
    parse_body,
)
from senders.parsing.forms import collect, parse_header
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint
from webhooks.receiver.handshakes import first_fitting, handshakes_by

MAX_QUERY_FIELDS = 1000


class BodyTooLarge(TickhookError):
    """The body is larger than this endpoint takes."""

    code = "body_too_large"
    http_status = 413

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"At most {limit:,} bytes are taken here")


class MalformedRequest(TickhookError):
    """The request can't be read."""

    code = "malformed_request"
    http_status = 400


@dataclass(kw_only=True)
class Delivery:
    """One attempt by a sender to deliver, as the checks of the door see it."""

    endpoint: WebhookEndpoint
    definition: WebhookTypeDefinition
    http: HttpRequest = field(repr=False)
    method: str
    url: str
    is_verified: bool = False
    is_validated: bool = False
    answer_headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def address(self) -> Address | None:
        """Who sends; None where the server does not tell."""
        return parse_address(self.http.META.get("REMOTE_ADDR", ""))

    @cached_property
    def headers(self) -> dict[str, str]:
        """Header names in lower case, values as they came (latin-1)."""
        meta: Mapping[str, Any] = self.http.META
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in meta.items()
            if name.startswith("HTTP_")
        }
        headers["content-type"] = meta.get("CONTENT_TYPE", "")
        return headers

    @cached_property
    def query(self) -> dict[str, object]:
        raw = self.http.META.get("QUERY_STRING", "")
        try:
            pairs = parse_qsl(
                raw,
                keep_blank_values=True,
                errors="replace",
                max_num_fields=MAX_QUERY_FIELDS,
            )
        except ValueError as error:
            raise MalformedRequest("The query has too many fields") from error
        return collect(pairs)

    @cached_property
    def body(self) -> bytes:
        """The raw bytes; raises BodyTooLarge before it has read more than it may."""
        limit, length = self.definition.max_body_bytes, self._content_length()
        if length is not None and length > limit:
            raise BodyTooLarge(limit=limit)
        body = self._read(limit + 1 if length is None else length)
        if len(body) > limit:
            raise BodyTooLarge(limit=limit)
        if length is not None and len(body) < length:
            raise MalformedRequest("The body is shorter than its Content-Length")
        return body

    @cached_property
    def content(self) -> bytes:
        """The body without its Content-Encoding; raises MalformedBody."""
        return decode_body(self.body, self.headers.get("content-encoding", ""))

    @cached_property
    def parsed(self) -> ParsedBody:
        return parse_body(
            self.content,
            self.content_type,
            form_json_field=self.definition.form_json_field,
        )

    @property
    def config(self) -> dict[str, Any]:
        """The endpoint's config, as it is now."""
        config: dict[str, Any] = self.endpoint.config
        return config

    @property
    def config_with_secret(self) -> dict[str, Any]:
        """The config as it was given: a secret is part of it, but kept apart."""
        secret = {"secret": True} if self.endpoint.secrets else {}
        return {**secret, **self.config}

    @cached_property
    def secrets(self) -> list[str]:
        return live_secrets(self.endpoint)

    @cached_property
    def is_batch(self) -> bool:
        """Whether the body is several events; JSON that may also be one: an array."""
        batch = self.definition.batch
        name, _ = parse_header(self.content_type)
        if batch is None or name != batch.content_type:
            return False
        may_be_one = batch.item_content_type == name
        return isinstance(self.parsed.value, list) or not may_be_one

    @cached_property
    def finder(self) -> Finder:
        return Finder(headers=self.headers, query=self.query, body=self.parsed.value)

    @cached_property
    def unsigned_handshake(self) -> Handshake | None:
        """The handshake that this is, of those that the sender doesn't sign."""
        if not self.definition.handshakes:
            return None
        try:
            return self._find_handshake(is_signed=False)
        except (MalformedBody, MalformedRequest):
            return None

    @cached_property
    def handshake(self) -> Handshake | None:
        """The handshake that this is; asked once what has to be signed is verified."""
        if not self.definition.handshakes:
            return None
        return self.unsigned_handshake or self._find_handshake(is_signed=True)

    def _find_handshake(self, *, is_signed: bool) -> Handshake | None:
        """Parse the body only if it may tell: a stranger's is not unpacked for less."""
        asked = handshakes_by(self.definition, method=self.method, is_signed=is_signed)
        if not asked:
            return None
        read_body = any(one.when.needs_body for one in asked)
        request = self.finder if read_body else self._finder_without_body
        return first_fitting(asked, request)

    @property
    def _finder_without_body(self) -> Finder:
        return Finder(headers=self.headers, query=self.query, body=None)

    @cached_property
    def identity(self) -> DeliveryIdentity:
        return extract_identity(
            self.definition, self.finder, raw_body=self.body, now=time.time()
        )

    def identity_of_item(self, place: int, raw: bytes) -> DeliveryIdentity:
        """Return what the sender says of one item of a batch."""
        assert isinstance(self.parsed.value, list)  # noqa: S101 - split before
        item = replace(self.finder, body=self.parsed.value[place])
        return extract_identity(self.definition, item, raw_body=raw, now=time.time())

    @property
    def content_type(self) -> str:
        return self.headers["content-type"]

    def _content_length(self) -> int | None:
        """Return the length that was announced; None for a body sent in chunks."""
        meta = self.http.META
        if not meta.get("CONTENT_LENGTH") and meta.get("HTTP_TRANSFER_ENCODING"):
            return None
        try:
            return max(0, int(meta.get("CONTENT_LENGTH") or 0))
        except ValueError as error:
            raise MalformedRequest("Content-Length is not a number") from error

    def _read(self, size: int) -> bytes:
        data: bytes = self.http.META["wsgi.input"].read(size) if size else b""
        return data
