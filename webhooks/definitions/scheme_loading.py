from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhooks.definitions.schemes import (
    Encoding,
    HashName,
    HeaderEntries,
    HmacScheme,
    PartKind,
    SecretEncoding,
    SecretFormat,
    SignatureScheme,
    TemplatePart,
    TimestampRule,
    TimestampUnit,
    TokenScheme,
)
from webhooks.definitions.templates import parse_template


def load_scheme(data: Mapping[str, Any]) -> SignatureScheme | None:
    """Turn a `signature` object that fits the schema into its scheme.

    Raise ValueError if the signed template is not one; None if nothing is signed.
    """
    if data["kind"] == "hmac":
        return _load_hmac(data)
    if data["kind"] == "token":
        return TokenScheme(read_from=_load_entries(data["read_from"]))
    return None


def _load_hmac(data: Mapping[str, Any]) -> HmacScheme:
    signed = parse_template(data["signed"])
    timestamp = _load_timestamp(data["timestamp"]) if "timestamp" in data else None
    _check_signed(signed, has_timestamp=timestamp is not None)
    return HmacScheme(
        read_from=_load_entries(data["read_from"]),
        signed=signed,
        hash=HashName(data.get("hash", HashName.SHA256)),
        encodings=tuple(Encoding(name) for name in data.get("encodings", ["hex"])),
        secret=_load_secret(data.get("secret", {})),
        timestamp=timestamp,
    )


def _check_signed(signed: tuple[TemplatePart, ...], *, has_timestamp: bool) -> None:
    kinds = {part.kind for part in signed}
    if PartKind.BODY not in kinds:
        raise ValueError("the body must be signed: {body} is missing")
    if has_timestamp and PartKind.TIMESTAMP not in kinds:
        raise ValueError("a timestamp proves nothing unless {timestamp} is signed")
    if PartKind.TIMESTAMP in kinds and not has_timestamp:
        raise ValueError("{timestamp} is signed, but no timestamp is described")


def _load_entries(data: Mapping[str, Any]) -> HeaderEntries:
    return HeaderEntries(
        headers=tuple(data["headers"]),
        separator=data.get("separator"),
        prefixes=tuple(data.get("prefixes", [""])),
    )


def _load_secret(data: Mapping[str, Any]) -> SecretFormat:
    return SecretFormat(
        encoding=SecretEncoding(data.get("encoding", SecretEncoding.UTF8)),
        prefix=data.get("prefix", ""),
    )


def _load_timestamp(data: Mapping[str, Any]) -> TimestampRule:
    return TimestampRule(
        read_from=_load_entries(data["read_from"]),
        unit=TimestampUnit(data.get("unit", TimestampUnit.SECONDS)),
        tolerance_seconds=int(data.get("tolerance_seconds", 300)),
    )
