"""Requests by which a sender asks whether the endpoint exists: answered, not stored."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import re2

from common.errors import TickhookError
from senders.definitions import WebhookTypeDefinition
from senders.definitions.answers import (
    ConfigMatch,
    Confirmation,
    ExpectedValue,
    Handshake,
    RequestCriteria,
)
from senders.parsing import Finder, MalformedBody
from webhooks.receiver.request import (
    MalformedRequest,
    WebhookRequest,
    parse_content,
    parse_query,
)

_CONFIRMATION = re2.compile(r"https://([a-z0-9.-]{1,253})/[!-~]{0,700}")


class HandshakeRefused(TickhookError):
    """The handshake does not have the values of this webhook's configuration."""

    code = "handshake_refused"
    http_status = 403


def is_probe(request: WebhookRequest) -> bool:
    """Return whether a GET asks only whether the webhook exists.

    It has neither query nor body, and its endpoint gets deliveries by other methods,
    too. Where GET is the only method, each GET is a delivery.
    """
    methods = request.endpoint.allowed_methods
    is_empty = not (
        request.query_string
        or request.content_length.strip("0")
        or request.headers.get("transfer-encoding")
    )
    return (
        is_empty
        and "GET" in methods
        and len(methods) > 1
        and find_unsigned_handshake(request) is None
    )


def find_unsigned_handshake(request: WebhookRequest) -> Handshake | None:
    """Return the handshake that a request is, of those that the sender does not sign.

    The body is parsed only if a handshake depends on it: the request may be forged, and
    decompressing its body costs time.
    """
    candidates = handshakes_by(
        request.definition, method=request.method, is_signed=False
    )
    if not candidates:
        return None
    reads_body = any(one.when.needs_body for one in candidates)
    try:
        finder = Finder(
            headers=request.headers,
            query=parse_query(request),
            body=parse_content(request).parsed.value if reads_body else None,
        )
    except (MalformedBody, MalformedRequest):
        return None
    return first_fitting(candidates, finder)


def find_signed_handshake(request: WebhookRequest) -> Handshake | None:
    """Return the handshake that a verified, parsed request is."""
    candidates = handshakes_by(
        request.definition, method=request.method, is_signed=True
    )
    return first_fitting(candidates, request.finder) if candidates else None


def check_handshake(request: WebhookRequest, handshake: Handshake) -> None:
    """Raise HandshakeRefused if a value differs from the endpoint's config."""
    wrong = mismatches(handshake.matches, request.finder, request.config)
    if wrong:
        raise HandshakeRefused(describe_mismatches(wrong))


def handshakes_by(
    definition: WebhookTypeDefinition, *, method: str, is_signed: bool
) -> list[Handshake]:
    """Return the handshakes with this method, either the signed or the unsigned."""
    return [
        handshake
        for handshake in definition.handshakes
        if handshake.is_signed == is_signed and handshake.method == method
    ]


def first_fitting(handshakes: Iterable[Handshake], request: Finder) -> Handshake | None:
    return next((one for one in handshakes if fits(one.when, request)), None)


def mismatches(
    matches: Sequence[ConfigMatch], request: Finder, config: Mapping[str, Any]
) -> list[str]:
    """Return the keys of the config whose values the request does not have."""
    return [
        match.key
        for match in matches
        if not (match.is_optional and match.key not in config)
        and not _is_same(config.get(match.key), request.text(match.source))
    ]


def describe_mismatches(keys: Sequence[str]) -> str:
    names = ", ".join(f"webhook_config.{key}" for key in keys)
    return f"{names} is not set, or differs from the value in the request"


def confirmation_url(confirmation: Confirmation, request: Finder) -> str | None:
    """Return the URL that confirms a subscription, if its host is the sender's."""
    if not all(_is_as_expected(one, request) for one in confirmation.expected):
        return None
    url = request.text(confirmation.url)
    found = _CONFIRMATION.fullmatch(url)
    return url if found and re2.fullmatch(confirmation.host, found[1]) else None


def fits(when: RequestCriteria, request: Finder) -> bool:
    """Return whether a request meets the conditions."""
    return all(_is_as_expected(one, request) for one in when.expected) and all(
        request.value(source) is not None for source in when.present
    )


def _is_as_expected(expected: ExpectedValue, request: Finder) -> bool:
    value = request.value(expected.source)
    return type(value) is type(expected.value) and value == expected.value


def _is_same(wanted: object, sent: str) -> bool:
    """Compare in constant time; a value that is not set equals none."""
    if not isinstance(wanted, str | int) or not sent:
        return False
    return hmac.compare_digest(_to_bytes(str(wanted)), _to_bytes(sent))


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
