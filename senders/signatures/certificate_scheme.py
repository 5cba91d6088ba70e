from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import re2

from senders.definitions.schemes import CertificateScheme, HashName
from senders.signatures.certificates import Certificate, load_certificate
from senders.signatures.contents import signed_contents
from senders.signatures.errors import Cause, CertificateUnknown, InvalidSignature
from senders.signatures.public_key_scheme import read_signatures
from senders.signatures.requests import RawRequest
from senders.signatures.timestamps import read_timestamp

# No port, no user, no query: only what a host and a path can be made of.
URL = re2.compile(r"https://([a-z0-9.-]{1,253})(/[A-Za-z0-9._~/-]{1,500})")


def verify_certificate(
    scheme: CertificateScheme,
    request: RawRequest,
    *,
    secrets: Sequence[str],
    certificates: Mapping[str, str],
    now: float | None,
) -> None:
    """Raise InvalidSignature unless a certificate of the pinned host signed.

    `certificates` are PEM texts by the URL they were fetched from. Secrets that are
    certificates count for every URL that the scheme allows. Raise CertificateUnknown
    if the URL is allowed, but nothing is known of it.
    """
    signatures = read_signatures(scheme, request)
    name = _hash_name(scheme, request)
    timestamp = read_timestamp(scheme.timestamp, request, now=now)
    url = _allowed_url(scheme, request)
    contents = signed_contents(scheme, request, timestamp=timestamp)
    usable = _usable(url, secrets=secrets, certificates=certificates, now=now)
    if not any(
        certificate.has_signed(content, signature, name)
        for certificate in usable
        for content in contents
        for signature in signatures
    ):
        raise InvalidSignature(Cause.NO_MATCH, "The signature does not match.")


def _hash_name(scheme: CertificateScheme, request: RawRequest) -> HashName:
    version = request.short_field(scheme.version.path)
    for known, name in scheme.hashes:
        if version == known.encode():
            return name
    detail = "The version of the signature is not known."
    raise InvalidSignature(Cause.MALFORMED_BODY, detail)


def _allowed_url(scheme: CertificateScheme, request: RawRequest) -> str:
    url = request.short_field(scheme.certificate_url.path)
    text = url.decode("ascii", "replace")
    found = URL.fullmatch(text)
    if (
        found is None
        or _pattern(scheme.url_host).fullmatch(found[1]) is None
        or _pattern(scheme.url_path).fullmatch(found[2]) is None
    ):
        detail = "The certificate's URL is not one of this sender."
        raise InvalidSignature(Cause.CERTIFICATE_REFUSED, detail)
    return text


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> re2._Regexp:
    return re2.compile(pattern)


def _usable(
    url: str,
    *,
    secrets: Sequence[str],
    certificates: Mapping[str, str],
    now: float | None,
) -> list[Certificate]:
    fetched = certificates.get(url)
    texts = [*secrets, fetched] if fetched is not None else secrets
    loaded = [found for text in texts if (found := load_certificate(text))]
    if not loaded and fetched is None:
        raise CertificateUnknown(url)
    valid = [certificate for certificate in loaded if certificate.is_valid_at(now)]
    if not valid:
        detail = "The certificate is not valid now, or is no RSA certificate."
        raise InvalidSignature(Cause.CERTIFICATE_REFUSED, detail)
    return valid
