"""Signs requests as the sender would, for the demo, test events and curl examples."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from common.errors import Conflict
from senders.definitions import (
    HeaderSource,
    Source,
    WebhookTypeDefinition,
    resolve,
)
from senders.definitions.schemes import (
    AnyScheme,
    BasicScheme,
    BodyField,
    CertificateScheme,
    HashScheme,
    HmacScheme,
    PartKind,
    PublicKeyScheme,
    QueryField,
    ReadFrom,
    SignatureScheme,
    SignedScheme,
    SingleScheme,
    TokenScheme,
)
from senders.definitions.shipped import compact_json
from senders.errors import FailureReason, InvalidSignature, MalformedBody
from senders.parsing.bodies import parse_json
from senders.parsing.finding import resolve_pointer
from senders.signatures.requests import RawRequest, write_timestamp
from senders.signatures.secrets import is_usable_secret, own_secrets
from senders.signatures.verification import digest_keys, digests


class OnlyTheSenderSigns(Conflict):
    """Only the sender can sign this request: no one else has its private key."""

    code = "only_the_sender_signs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """The headers to send, and the body and URL, which may contain the signature.

    The signature expires after `valid_seconds`; None means never.
    """

    headers: dict[str, str]
    body: bytes
    url: str = ""
    valid_seconds: int | None = None


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
    headers: Mapping[str, str] | None = None,
) -> SignedRequest:
    """Return the headers and body with which this sender would deliver the body.

    `headers` are sent in any case; a signed header that is missing there gets the
    delivery id as its value. Without a secret the request is not signed. Raise
    OnlyTheSenderSigns if the sender signs with a private key, InvalidSignature if the
    secret does not have the required form.
    """
    return sign_for(
        resolve(type_slug),
        secret=secret,
        body=body,
        now=now,
        delivery_id=delivery_id,
        event_type=event_type,
        method=method,
        url=url,
        headers=headers,
    )


def sign_for(
    definition: WebhookTypeDefinition,
    *,
    secret: str | None,
    body: bytes,
    now: float,
    delivery_id: str,
    event_type: str,
    method: str = "POST",
    url: str = "",
    headers: Mapping[str, str] | None = None,
) -> SignedRequest:
    """Sign as `sign_request` does, for a definition that need not be shipped."""
    sent = {
        **(headers or {}),
        **_first_header(definition.delivery_id, delivery_id),
        **_first_header(definition.event_type, event_type),
    }
    if secret is None or definition.signature is None:
        return SignedRequest(headers=sent, body=body, url=url)
    signed_names = _signed_headers(definition.signature)
    sent = {**dict.fromkeys(signed_names, delivery_id), **sent}
    request = RawRequest.of(method=method, url=url, headers=sent, body=body)
    signed = sign(definition.signature, request, secret=secret, now=now)
    return replace(signed, headers=sent | signed.headers)


def sign(
    scheme: SignatureScheme, request: RawRequest, *, secret: str, now: float
) -> SignedRequest:
    """Return the headers that the scheme adds to the request, and the body.

    Raise OnlyTheSenderSigns if the scheme needs a private key, InvalidSignature if the
    secret does not have the required form or a signed part of the request is missing.
    """
    single = _scheme_for(scheme, secret)
    match single:
        case HmacScheme() | HashScheme():
            return _sign_digest(single, request, secret=secret, now=now)
        case TokenScheme():
            writer = _Writer(request)
            writer.add(single.read_from, secret)
            return writer.signed()
        case BasicScheme():
            credentials = base64.b64encode(secret.encode()).decode()
            headers = {"Authorization": f"Basic {credentials}"}
            return SignedRequest(headers=headers, body=request.body, url=request.url)
        case PublicKeyScheme() | CertificateScheme():
            raise OnlyTheSenderSigns


def sends_secret(scheme: SignatureScheme, secret: str) -> bool:
    """Return whether a request signed with this secret contains the secret itself."""
    return isinstance(_scheme_for(scheme, secret), TokenScheme | BasicScheme)


def _sign_digest(
    scheme: HmacScheme | HashScheme, request: RawRequest, *, secret: str, now: float
) -> SignedRequest:
    [key] = digest_keys(scheme, [secret])
    writer = _Writer(request)
    timestamp = b""
    if scheme.timestamp is not None:
        number = write_timestamp(scheme.timestamp, now=now)
        writer.add(scheme.timestamp.read_from, number)
        timestamp = str(number).encode()
    name = scheme.hashes[0][1] if scheme.hashes else scheme.hash
    raw, *_ = digests(scheme, writer.request, name=name, key=key, timestamp=timestamp)
    writer.add(scheme.read_from, scheme.encodings[0].to_text(raw))
    valid = scheme.timestamp.tolerance_seconds if scheme.timestamp else None
    return replace(writer.signed(), valid_seconds=valid)


def _scheme_for(scheme: SignatureScheme, secret: str) -> SingleScheme:
    """Return the first scheme, which is the strongest, that accepts the secret."""
    if not isinstance(scheme, AnyScheme):
        return scheme
    for each in scheme.of:
        if own_secrets(scheme, each, [secret]) and is_usable_secret(each, secret):
            return each
    return scheme.of[0]


class _Writer:
    """Writes timestamps and signatures to the places from which a scheme reads them."""

    def __init__(self, request: RawRequest) -> None:
        self.request = request
        self._entries: defaultdict[str, list[str]] = defaultdict(list)
        self._separators: dict[str, str] = {}

    def add(self, target: ReadFrom, value: str | int) -> None:
        if isinstance(target, BodyField):
            body = _set_body_field(self.request.body, target.path, value)
            self.request = replace(self.request, body=body)
            return
        if isinstance(target, QueryField):
            pair = urlencode({target.name: value})
            mark = "&" if "?" in self.request.url else "?"
            self.request = replace(self.request, url=f"{self.request.url}{mark}{pair}")
            return
        name = target.headers[0]
        self._entries[name].append(f"{target.prefixes[0]}{value}")
        self._separators[name] = target.separator or ""

    def signed(self) -> SignedRequest:
        headers = {
            name: self._separators[name].join(entries)
            for name, entries in self._entries.items()
        }
        request = self.request
        return SignedRequest(headers=headers, body=request.body, url=request.url)


def _signed_headers(scheme: SignatureScheme) -> list[str]:
    """Return the names of the headers in the templates of the scheme."""
    if isinstance(scheme, AnyScheme):
        return [name for each in scheme.of for name in _signed_headers(each)]
    if not isinstance(scheme, SignedScheme):
        return []
    return [part.text for part in scheme.signed if part.kind is PartKind.HEADER]


def _first_header(sources: tuple[Source, ...], value: str) -> dict[str, str]:
    names = [source.name for source in sources if isinstance(source, HeaderSource)]
    return {names[0]: value} if names else {}


def _set_body_field(body: bytes, path: tuple[str, ...], value: str | int) -> bytes:
    """Return the JSON body with this value at this path; a text stays a text.

    Raise InvalidSignature if the body is not JSON or has no object at the path.
    """
    try:
        document = parse_json(body)
    except MalformedBody as error:
        detail = "The body is not JSON."
        raise InvalidSignature(FailureReason.MALFORMED_BODY, detail) from error
    *parents, name = path
    place = document
    for parent in parents:
        if isinstance(place, dict):
            place = place.setdefault(parent, {})
        else:
            place = resolve_pointer(place, (parent,))
    if not isinstance(place, dict):
        detail = f"The body has no object for /{'/'.join(path)}."
        raise InvalidSignature(FailureReason.MISSING_FIELD, detail)
    place[name] = str(value) if isinstance(place.get(name), str) else value
    return compact_json(document)
