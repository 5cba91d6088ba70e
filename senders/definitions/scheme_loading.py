"""Turns the `signature` object of a webhook type into a scheme, or rejects it."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any

from common.json_schema import find_schema_faults
from senders.definitions.schemes import (
    Algorithm,
    AnyScheme,
    BasicScheme,
    BodyField,
    CertificateScheme,
    Encoding,
    HashName,
    HashScheme,
    HeaderEntries,
    HmacScheme,
    JwtScheme,
    PartKind,
    PublicKeyScheme,
    QueryField,
    ReadFrom,
    SecretEncoding,
    SecretFormat,
    SignatureScheme,
    SignedScheme,
    SingleScheme,
    TemplatePart,
    TimestampRule,
    TimestampUnit,
    TokenScheme,
)
from senders.definitions.sources import parse_pointer

# The placeholders of a signed template that take no argument.
PLAIN_PLACEHOLDERS = {
    kind.value: kind
    for kind in (
        PartKind.BODY,
        PartKind.TIMESTAMP,
        PartKind.METHOD,
        PartKind.URL,
        PartKind.URL_DECODED,
        PartKind.SECRET,
    )
}


def load_scheme(data: Mapping[str, Any]) -> SignatureScheme | None:
    """Return the scheme that a `signature` object describes, None if nothing is signed.

    The object must match the schema. Raise ValueError if the scheme proves nothing.
    """
    if data["kind"] == "none":
        return None
    if data["kind"] == "any":
        return AnyScheme(of=tuple(_LOADERS[one["kind"]](one) for one in data["of"]))
    return _LOADERS[data["kind"]](data)


def _load_digest(data: Mapping[str, Any]) -> HmacScheme | HashScheme:
    fields = {
        **_load_signed(data),
        "hash": HashName(data.get("hash", HashName.SHA256)),
        "hashes": _load_named_hashes(data.get("hashes", {})),
    }
    if data["kind"] == "hash":
        hash_scheme = HashScheme(**fields)
        _check_signed(hash_scheme, needs_secret=True)
        return hash_scheme
    scheme = HmacScheme(**fields, secret=_load_secret(data.get("secret", {})))
    _check_signed(scheme)
    return scheme


def _load_public_key(data: Mapping[str, Any]) -> PublicKeyScheme:
    scheme = PublicKeyScheme(
        **_load_signed(data),
        algorithm=Algorithm(data["kind"]),
        secret=_load_secret(data["secret"]),
    )
    _check_signed(scheme)
    return scheme


def _load_certificate(data: Mapping[str, Any]) -> CertificateScheme:
    certificate, version = data["certificate"], data["version"]
    _check_patterns(certificate["host"], certificate["path"])
    scheme = CertificateScheme(
        **_load_signed(data),
        certificate_url=_load_field(certificate["url"]),
        url_host=certificate["host"],
        url_path=certificate["path"],
        version=_load_field(version["read_from"]),
        hashes=_load_named_hashes(version["hashes"]),
    )
    _check_signed(scheme)
    return scheme


def _load_token(data: Mapping[str, Any]) -> TokenScheme:
    pattern = data.get("secret", {}).get("pattern", "")
    _check_patterns(pattern)
    return TokenScheme(
        read_from=_load_read_from(data["read_from"]), secret_pattern=pattern
    )


def _load_jwt(data: Mapping[str, Any]) -> JwtScheme:
    return JwtScheme(
        read_from=_load_read_from(data["read_from"]),
        algorithms=tuple(data["algorithms"]),
        issuers=tuple(data["issuers"]),
        keys_url=data["keys_url"],
        subject_claim=data.get("subject_claim", ""),
    )


_LOADERS: Mapping[str, Callable[[Mapping[str, Any]], SingleScheme]] = {
    "hmac": _load_digest,
    "hash": _load_digest,
    "ed25519": _load_public_key,
    "ecdsa": _load_public_key,
    "rsa-cert": _load_certificate,
    "token": _load_token,
    "basic": lambda _: BasicScheme(),
    "jwt": _load_jwt,
}


def _check_patterns(*patterns: str) -> None:
    for pattern in patterns:
        if faults := find_schema_faults({"pattern": pattern}):
            raise ValueError(faults[0].detail)


def _load_signed(data: Mapping[str, Any]) -> dict[str, Any]:
    timestamp = _load_timestamp(data["timestamp"]) if "timestamp" in data else None
    return {
        "read_from": _load_read_from(data["read_from"], data.get("hashes")),
        "signed": parse_template(data.get("signed", "")),
        "signed_by": data.get("signed_by"),
        "encodings": tuple(Encoding(name) for name in data.get("encodings", ["hex"])),
        "timestamp": timestamp,
    }


def _load_timestamp(data: Mapping[str, Any]) -> TimestampRule:
    tolerance = data.get("tolerance_seconds", 300)
    return TimestampRule(
        read_from=_load_read_from(data["read_from"]),
        unit=TimestampUnit(data.get("unit", TimestampUnit.SECONDS)),
        tolerance_seconds=None if tolerance is None else int(tolerance),
    )


def _load_named_hashes(data: Mapping[str, str]) -> tuple[tuple[str, HashName], ...]:
    return tuple((name, HashName(value)) for name, value in data.items())


def _load_read_from(
    data: Mapping[str, Any], hashes: Mapping[str, str] | None = None
) -> ReadFrom:
    """Return where to read; the keys of `hashes` are the prefixes of its entries."""
    if "body" in data:
        return _load_field(data)
    if "query" in data:
        return QueryField(name=data["query"])
    return HeaderEntries(
        headers=tuple(data["headers"]),
        separator=data.get("separator"),
        prefixes=tuple(hashes or data.get("prefixes", [""])),
    )


def _load_field(data: Mapping[str, str]) -> BodyField:
    return BodyField(path=parse_pointer(data["body"]))


def _load_secret(data: Mapping[str, Any]) -> SecretFormat:
    return SecretFormat(
        encoding=SecretEncoding(data.get("encoding", SecretEncoding.UTF8)),
        prefix=data.get("prefix", ""),
        prefix_required=data.get("prefix_required", False),
    )


def parse_template(template: str) -> tuple[TemplatePart, ...]:
    """Split a signed template such as `{header:webhook-id}.{timestamp}.{body}`.

    Raise ValueError if a brace is not closed or a placeholder is unknown.
    """
    parts = []
    for text, name, argument, conversion in string.Formatter().parse(template):
        if text:
            parts.append(TemplatePart(kind=PartKind.TEXT, text=text))
        if name is not None:
            parts.append(_parse_placeholder(name, argument or "", conversion))
    return tuple(parts)


def _parse_placeholder(
    name: str, argument: str, conversion: str | None
) -> TemplatePart:
    kind, is_optional = name.removesuffix("?"), name.endswith("?")
    if conversion is None and kind == "header" and argument:
        return TemplatePart(
            kind=PartKind.HEADER, text=argument, is_optional=is_optional
        )
    if conversion is None and kind == "json" and argument.startswith("/"):
        path = parse_pointer(argument)
        return TemplatePart(kind=PartKind.JSON, path=path, is_optional=is_optional)
    if conversion is None and name in PLAIN_PLACEHOLDERS and not argument:
        return TemplatePart(kind=PLAIN_PLACEHOLDERS[name])
    fields = ("header:<name>", "header?:<name>", "json:/<pointer>", "json?:/<pointer>")
    known = ", ".join([*PLAIN_PLACEHOLDERS, *fields])
    raise ValueError(f"unknown placeholder {name!r}; known are {known}")


def _check_signed(scheme: SignedScheme, *, needs_secret: bool = False) -> None:
    """Raise ValueError unless a signature of the scheme proves who sent the body."""
    if scheme.signed_by is not None:
        if scheme.timestamp is not None:
            raise ValueError("a timestamp proves nothing if signed_by is used")
        return
    kinds = {part.kind for part in scheme.signed}
    if needs_secret and PartKind.SECRET not in kinds:
        raise ValueError("anyone could make this hash: {secret} is missing")
    if PartKind.SECRET in kinds and not needs_secret:
        raise ValueError("{secret} is only for signatures of kind hash")
    # A signature in the body cannot cover the whole body, only other fields of it.
    has_field = any(
        part.kind is PartKind.JSON and not part.is_optional for part in scheme.signed
    )
    signs_field = isinstance(scheme.read_from, BodyField) and has_field
    if PartKind.BODY not in kinds and not signs_field:
        raise ValueError("the body must be signed: {body} is missing")
    _check_timestamp(scheme, kinds)


def _check_timestamp(scheme: SignedScheme, kinds: set[PartKind]) -> None:
    if scheme.timestamp is None:
        if PartKind.TIMESTAMP in kinds:
            raise ValueError("{timestamp} is signed, but no timestamp is described")
        return
    in_signed_body = (
        isinstance(scheme.timestamp.read_from, BodyField) and PartKind.BODY in kinds
    )
    if PartKind.TIMESTAMP not in kinds and not in_signed_body:
        raise ValueError("a timestamp proves nothing unless {timestamp} is signed")
