"""Signs as the sender would: for the demo, test events and ready-made curl lines."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping

from webhooks.definitions import (
    HeaderSource,
    Source,
    WebhookTypeDefinition,
    resolve,
)
from webhooks.definitions.schemes import (
    Encoding,
    HeaderEntries,
    HmacScheme,
    SignatureScheme,
    TokenScheme,
)
from webhooks.signatures.hmac_scheme import digest
from webhooks.signatures.keys import usable_keys
from webhooks.signatures.requests import RawRequest
from webhooks.signatures.timestamps import write_timestamp


def sign_request(
    type_slug: str,
    *,
    secret: str | None,
    body: bytes,
    now: float,
    delivery_id: str,
    event_type: str,
    method: str = "POST",
    url: str = "",
) -> dict[str, str]:
    """Return the headers with which this shipped sender would deliver the body.

    Without a secret the request is not signed. Raise InvalidSignature if the secret
    is not one.
    """
    return sign_as(
        resolve(type_slug),
        secret=secret,
        body=body,
        now=now,
        delivery_id=delivery_id,
        event_type=event_type,
        method=method,
        url=url,
    )


def sign_as(
    definition: WebhookTypeDefinition,
    *,
    secret: str | None,
    body: bytes,
    now: float,
    delivery_id: str,
    event_type: str,
    method: str = "POST",
    url: str = "",
) -> dict[str, str]:
    """Do as `sign_request` does, for a sender of any definition."""
    headers = _first_header(definition.delivery_id, delivery_id)
    headers |= _first_header(definition.event_type, event_type)
    if secret is None or definition.signature is None:
        return headers
    request = RawRequest.of(method=method, url=url, headers=headers, body=body)
    return headers | sign(definition.signature, request, secret=secret, now=now)


def sign(
    scheme: SignatureScheme, request: RawRequest, *, secret: str, now: float
) -> dict[str, str]:
    """Return the headers that the scheme adds to the request.

    Raise InvalidSignature if the secret is not one, or if a header that the scheme
    signs is missing from the request.
    """
    match scheme:
        case HmacScheme():
            return _sign_hmac(scheme, request, secret=secret, now=now)
        case TokenScheme():
            return {scheme.read_from.headers[0]: scheme.read_from.prefixes[0] + secret}


def _sign_hmac(
    scheme: HmacScheme, request: RawRequest, *, secret: str, now: float
) -> dict[str, str]:
    [key] = usable_keys(scheme.secret, [secret])
    values: defaultdict[str, list[str]] = defaultdict(list)
    timestamp = b""
    if scheme.timestamp is not None:
        timestamp = write_timestamp(scheme.timestamp, now=now)
        _add_entry(values, scheme.timestamp.read_from, timestamp.decode())
    raw = digest(scheme, request, key=key, timestamp=timestamp)
    _add_entry(values, scheme.read_from, _encode(scheme.encodings[0], raw))
    separator = scheme.read_from.separator or ""
    return {name: separator.join(entries) for name, entries in values.items()}


def _add_entry(
    values: Mapping[str, list[str]], target: HeaderEntries, text: str
) -> None:
    values[target.headers[0]].append(target.prefixes[0] + text)


def _encode(encoding: Encoding, raw: bytes) -> str:
    return raw.hex() if encoding is Encoding.HEX else base64.b64encode(raw).decode()


def _first_header(sources: tuple[Source, ...], value: str) -> dict[str, str]:
    names = [source.name for source in sources if isinstance(source, HeaderSource)]
    return {names[0]: value} if names else {}
