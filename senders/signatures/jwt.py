"""JSON Web Tokens (RFC 7519), signed with one of the keys that the sender publishes.

A worker fetches the keys (RFC 7517) and stores them as `key_set_text` returns them.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from senders.definitions.schemes import Encoding, JwtScheme
from senders.errors import FailureReason, InvalidSignature, KeysUnknown, NoSecretSet
from senders.signatures.public_keys import MIN_RSA_BITS
from senders.signatures.requests import RawRequest

# Clocks of sender and receiver may differ by this much.
LEEWAY_SECONDS = 60
# Keys are fetched again after this time, or earlier if a token names an unknown one.
FRESH_SECONDS = 3600
REFETCH_SECONDS = 300
# If fetching fails for so long, the keys no longer count: some may be withdrawn.
USABLE_SECONDS = 24 * 3600
MAX_KEYS = 50
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)")
# The issuer is checked here, the times and the audience below.
_OPTIONS: Any = {
    "require": ["exp", "iss", "aud"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The public keys by their id; `fetched_at` in seconds since the epoch."""

    fetched_at: float
    keys: Mapping[str, jwt.PyJWK]


def key_set_text(answer: bytes, *, fetched_at: float) -> str:
    """Return what to store of a set of keys; raise ValueError if none is usable."""
    text = json.dumps({"fetched_at": fetched_at, "answer": answer.decode()})
    if not load_key_set(text).keys:
        raise ValueError("no usable key")
    return text


@lru_cache(maxsize=16)
def load_key_set(text: str) -> KeySet:
    """Return the usable keys of a stored text; raise ValueError if it is not JSON."""
    stored = json.loads(text)
    document = json.loads(stored["answer"])
    listed = document.get("keys") if isinstance(document, dict) else None
    candidates = listed[:MAX_KEYS] if isinstance(listed, list) else []
    found = [key for one in candidates if (key := _load_key(one)) is not None]
    keys = {key.key_id: key for key in found if key.key_id}
    return KeySet(fetched_at=stored["fetched_at"], keys=keys)


def _load_key(data: object) -> jwt.PyJWK | None:
    """Return a public key that signs; None for a symmetric, private or short one."""
    if not isinstance(data, dict) or data.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if "d" in data or data.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(data)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    is_short = isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS
    return None if is_short or not isinstance(key.key_id, str) else key


def verify_jwt(
    scheme: JwtScheme,
    request: RawRequest,
    *,
    secrets: Sequence[str],
    key_sets: Mapping[str, str],
    now: float | None,
) -> None:
    """Raise InvalidSignature unless the issuer made this token for one of the secrets.

    Raise KeysUnknown if the keys are not known, too old, or too old to say that a key
    does not exist.
    """
    expected = [pair for text in secrets if (pair := scheme.expected(text))]
    if not expected:
        raise NoSecretSet
    token = _read_token(scheme, request)
    header = _read_header(scheme, token)
    key = _find_key(scheme, header, key_sets, now=now or 0)
    claims = _verified_claims(scheme, token, key, algorithm=header["alg"])
    _check_times(claims, now)
    if not any(_is_for(scheme, claims, *pair) for pair in expected):
        detail = "The token has another audience or subject than the secret."
        raise InvalidSignature(FailureReason.NO_MATCH, detail)


def _read_token(scheme: JwtScheme, request: RawRequest) -> bytes:
    entries = request.entries(scheme.read_from)
    token = entries[0].value if len(entries) == 1 else b""
    found = _TOKEN.fullmatch(token)
    try:
        if found is not None and Encoding.BASE64URL.to_bytes(found[1]):
            return token
    except ValueError:
        pass
    detail = "The header is not exactly one signed JSON Web Token."
    raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)


def _read_header(scheme: JwtScheme, token: bytes) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        detail = "The header of the JSON Web Token is malformed."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail) from error
    if header.get("alg") not in scheme.algorithms:
        detail = "The JSON Web Token is signed with another algorithm."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
    return header


def _find_key(
    scheme: JwtScheme,
    header: Mapping[str, Any],
    key_sets: Mapping[str, str],
    *,
    now: float,
) -> jwt.PyJWK:
    text = key_sets.get(scheme.keys_url)
    known = load_key_set(text) if text else None
    if known is None or now - known.fetched_at > USABLE_SECONDS:
        raise KeysUnknown(scheme.keys_url)
    key = known.keys.get(str(header.get("kid")))
    if key is not None:
        return key
    if now - known.fetched_at > REFETCH_SECONDS:
        raise KeysUnknown(scheme.keys_url)
    detail = "The JSON Web Token is signed with an unknown key."
    raise InvalidSignature(FailureReason.NO_MATCH, detail)


def _verified_claims(
    scheme: JwtScheme, token: bytes, key: jwt.PyJWK, *, algorithm: str
) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            issuer=list(scheme.issuers),
            options=_OPTIONS,
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        detail = "The signature, issuer or claims of the JSON Web Token are wrong."
        raise InvalidSignature(FailureReason.NO_MATCH, detail) from error
    return claims


def _check_times(claims: Mapping[str, Any], now: float | None) -> None:
    """Raise InvalidSignature unless the token is valid now; it must have an end."""
    end = _time(claims["exp"])
    starts = [_time(claims[name]) for name in ("nbf", "iat") if name in claims]
    is_valid = (
        now is not None
        and end is not None
        and now <= end + LEEWAY_SECONDS
        and all(start is not None and start <= now + LEEWAY_SECONDS for start in starts)
    )
    if not is_valid:
        detail = "The JSON Web Token is expired or not valid yet."
        raise InvalidSignature(FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE, detail)


def _time(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None  # type: ignore[return-value]  # mypy loses it


def _is_for(
    scheme: JwtScheme, claims: Mapping[str, Any], audience: str, subject: str
) -> bool:
    sent = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not any(_is_same(one, audience) for one in sent):
        return False
    is_email = scheme.subject_claim == "email"
    is_confirmed = not is_email or claims.get("email_verified") is True
    return not subject or (
        _is_same(claims.get(scheme.subject_claim), subject) and is_confirmed
    )


def _is_same(sent: object, wanted: str) -> bool:
    text = sent if isinstance(sent, str) else ""
    return hmac.compare_digest(
        text.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass")
    )
