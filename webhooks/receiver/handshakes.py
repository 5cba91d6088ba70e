"""Requests by which a sender asks whether the endpoint is there: answered, not kept."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import re2

from senders.definitions import WebhookTypeDefinition
from senders.definitions.answers import (
    ConfigMatch,
    ExpectedValue,
    Handshake,
    RequestCriteria,
)
from senders.parsing import Finder

_CONFIRMATION = re2.compile(r"https://([a-z0-9.-]{1,253})/[!-~]{0,700}")


def handshakes_by(
    definition: WebhookTypeDefinition, *, method: str, is_signed: bool
) -> list[Handshake]:
    """Return the handshakes that come by a method, of those signed or those not."""
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
    """Return the keys of the config that the request does not hold the values of."""
    return [
        match.key
        for match in matches
        if not (match.is_optional and match.key not in config)
        and not _is_same(config.get(match.key), request.text(match.source))
    ]


def confirmation_url(definition: WebhookTypeDefinition, request: Finder) -> str | None:
    """Return the URL that the sender wants asked, if it is at a host of the sender."""
    asked = definition.confirmation
    if asked is None or not all(_is_as_expected(e, request) for e in asked.expected):
        return None
    url = request.text(asked.url)
    found = _CONFIRMATION.fullmatch(url)
    return url if found and re2.fullmatch(asked.host, found[1]) else None


def fits(when: RequestCriteria, request: Finder) -> bool:
    return all(_is_as_expected(one, request) for one in when.expected) and all(
        request.value(source) is not None for source in when.present
    )


def _is_as_expected(expected: ExpectedValue, request: Finder) -> bool:
    value = request.value(expected.source)
    return type(value) is type(expected.value) and value == expected.value


def _is_same(wanted: object, sent: str) -> bool:
    """Compare in constant time; what is not set is never the same."""
    if not isinstance(wanted, str | int) or not sent:
        return False
    return hmac.compare_digest(_bytes(str(wanted)), _bytes(sent))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
