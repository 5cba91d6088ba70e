from __future__ import annotations

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
    PublicKeyScheme,
    ReadFrom,
    SecretEncoding,
    SecretFormat,
    SignatureScheme,
    SingleScheme,
    TimestampRule,
    TimestampUnit,
    TokenScheme,
)
from senders.definitions.signed import check_signed
from senders.definitions.sources import parse_pointer
from senders.definitions.templates import parse_template


def load_scheme(data: Mapping[str, Any]) -> SignatureScheme | None:
    """Turn a `signature` object that fits the schema into its scheme.

    Raise ValueError if what is signed proves nothing; None if nothing is signed.
    """
    if data["kind"] == "none":
        return None
    if data["kind"] == "any":
        return AnyScheme(of=tuple(map(_load_single, data["of"])))
    return _load_single(data)


def _load_single(data: Mapping[str, Any]) -> SingleScheme:
    return _LOADERS[data["kind"]](data)


def _load_hmac(data: Mapping[str, Any]) -> HmacScheme:
    scheme = HmacScheme(
        **_load_signed(data),
        **_load_hashes(data),
        secret=_load_secret(data.get("secret", {})),
    )
    check_signed(scheme)
    return scheme


def _load_hash(data: Mapping[str, Any]) -> HashScheme:
    scheme = HashScheme(**_load_signed(data), **_load_hashes(data))
    check_signed(scheme, needs_secret=True)
    return scheme


def _load_public_key(data: Mapping[str, Any]) -> PublicKeyScheme:
    scheme = PublicKeyScheme(
        **_load_signed(data),
        algorithm=Algorithm(data["kind"]),
        secret=_load_secret(data["secret"]),
    )
    check_signed(scheme)
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
    check_signed(scheme)
    return scheme


def _load_token(data: Mapping[str, Any]) -> TokenScheme:
    pattern = data.get("secret", {}).get("pattern", "")
    _check_patterns(pattern)
    return TokenScheme(
        read_from=_load_read_from(data["read_from"]), secret_pattern=pattern
    )


def _load_basic(_data: Mapping[str, Any]) -> BasicScheme:
    return BasicScheme()


_LOADERS: Mapping[str, Callable[[Mapping[str, Any]], SingleScheme]] = {
    "hmac": _load_hmac,
    "hash": _load_hash,
    "ed25519": _load_public_key,
    "ecdsa": _load_public_key,
    "rsa-cert": _load_certificate,
    "token": _load_token,
    "basic": _load_basic,
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


def _load_hashes(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hash": HashName(data.get("hash", HashName.SHA256)),
        "hashes": _load_named_hashes(data.get("hashes", {})),
    }


def _load_named_hashes(data: Mapping[str, str]) -> tuple[tuple[str, HashName], ...]:
    return tuple((name, HashName(value)) for name, value in data.items())


def _load_read_from(
    data: Mapping[str, Any], hashes: Mapping[str, str] | None = None
) -> ReadFrom:
    """Return where to read; `hashes` are named by the prefixes that count."""
    if "body" in data:
        return _load_field(data)
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


def _load_timestamp(data: Mapping[str, Any]) -> TimestampRule:
    tolerance = data.get("tolerance_seconds", 300)
    return TimestampRule(
        read_from=_load_read_from(data["read_from"]),
        unit=TimestampUnit(data.get("unit", TimestampUnit.SECONDS)),
        tolerance_seconds=None if tolerance is None else int(tolerance),
    )
