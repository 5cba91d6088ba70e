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
    JwtScheme,
    PartKind,
    PublicKeyScheme,
    QueryField,
    ReadFrom,
    SignatureScheme,
    SignedScheme,
    SingleScheme,
    TimestampRule,
    TokenScheme,
)
from senders.definitions.shipped import compact_json
from senders.errors import FailureReason, InvalidSignature, MalformedBody
from senders.parsing.bodies import parse_json
from senders.parsing.finding import resolve_pointer
from senders.signatures.public_keys import hash_of_certificate
from senders.signatures.requests import RawRequest, signed_contents, write_timestamp
from senders.signatures.secrets import is_usable_secret, own_secrets
from senders.signatures.throw_away_keys import make_throw_away_key
from senders.signatures.verification import digest_keys, digests


class OnlyTheSenderSigns(Conflict):
    """Only the sender can sign this request: no one else has its private key."""

    code = "only_the_sender_signs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """The headers to send, and the body and URL, which may contain the signature.

    The signature expires after `valid_seconds`; None means never. `throw_away_secret`
    is the secret that verifies it, if a key was made for this request only.
    """

    headers: dict[str, str]
    body: bytes
    url: str = ""
    valid_seconds: int | None = None
    throw_away_secret: str = ""


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
    with_throw_away_key: bool = False,
) -> SignedRequest:
    """Sign as `sign_request` does, for a definition that need not be shipped.

    With `with_throw_away_key`, a new private key stands for one that only the sender
    has.
    """
    sent = {
        **(headers or {}),
        **_first_header(definition.delivery_id, delivery_id),
        **_first_header(definition.event_type, event_type),
    }
    scheme = definition.signature
    has_no_secret = with_throw_away_key and isinstance(scheme, CertificateScheme)
    if scheme is None or (secret is None and not has_no_secret):
        return SignedRequest(headers=sent, body=body, url=url)
    signed_names = _signed_headers(scheme)
    sent = {**dict.fromkeys(signed_names, delivery_id), **sent}
    request = RawRequest.of(method=method, url=url, headers=sent, body=body)
    single = _scheme_for(scheme, secret or "")
    if with_throw_away_key and isinstance(single, PublicKeyScheme | CertificateScheme):
        signed = _sign_with_throw_away_key(single, request, now=now)
    else:
        signed = sign(scheme, request, secret=secret or "", now=now)
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
        case PublicKeyScheme() | CertificateScheme() | JwtScheme():
            raise OnlyTheSenderSigns


def sends_secret(scheme: SignatureScheme, secret: str) -> bool:
    """Return whether a request signed with this secret contains the secret itself."""
    return isinstance(_scheme_for(scheme, secret), TokenScheme | BasicScheme)


def _sign_digest(
    scheme: HmacScheme | HashScheme, request: RawRequest, *, secret: str, now: float
) -> SignedRequest:
    [key] = digest_keys(scheme, [secret])
    writer = _Writer(request)
    timestamp = writer.add_timestamp(scheme.timestamp, now=now)
    name = scheme.hashes[0][1] if scheme.hashes else scheme.hash
    raw, *_ = digests(scheme, writer.request, name=name, key=key, timestamp=timestamp)
    writer.add(scheme.read_from, scheme.encodings[0].to_text(raw))
    valid = scheme.timestamp.tolerance_seconds if scheme.timestamp else None
    return replace(writer.signed(), valid_seconds=valid)


def _sign_with_throw_away_key(
    scheme: PublicKeyScheme | CertificateScheme, request: RawRequest, *, now: float
) -> SignedRequest:
    key = make_throw_away_key(scheme)
    writer = _Writer(request)
    timestamp = writer.add_timestamp(scheme.timestamp, now=now)
    content, *_ = signed_contents(scheme, writer.request, timestamp=timestamp)
    if isinstance(scheme, CertificateScheme):
        raw = key.sign(content, hash_of_certificate(scheme, request))
    else:
        raw = key.sign(content)
    writer.add(scheme.read_from, scheme.encodings[0].to_text(raw))
    return replace(writer.signed(), throw_away_secret=key.secret)


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

    def add_timestamp(self, rule: TimestampRule | None, *, now: float) -> bytes:
        """Write the timestamp of a scheme, if it has one; return its text."""
        if rule is None:
            return b""
        value = write_timestamp(rule, now=now)
        self.add(rule.read_from, value)
        return str(value).encode()

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
