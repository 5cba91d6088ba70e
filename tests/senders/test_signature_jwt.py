"""Tokens that a sender signs with a published key; the rest is in `table.py`."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from senders.definitions import InvalidDefinition, load_definition, resolve
from senders.definitions.schemes import JwtScheme
from senders.signatures import (
    FailureReason,
    InvalidSignature,
    is_usable_secret,
    new_secret,
    verify,
)
from senders.signatures.jwt import key_set_text, load_key_set
from senders.signatures.verification import Fetched
from tests.senders.requests import NOW, SECRET, failure
from tests.senders.sender_keys import (
    GOOGLE_KEYS,
    KEY_ID,
    key_set,
    published_keys,
    rsa_key,
)
from tests.senders.table import signed

ACCOUNT = "push@ana-example.iam.gserviceaccount.com"
URL = "https://hooks.example/webhooks/wht_1"
JWT: dict[str, Any] = {
    "kind": "jwt",
    "read_from": {"headers": ["Authorization"], "prefixes": ["Bearer "]},
    "algorithms": ["RS256"],
    "issuers": ["https://issuer.example"],
    "keys_url": "https://issuer.example/keys",
}


def token(*, key_id: str = KEY_ID, **changes: object) -> str:
    claims = {
        "iss": "https://accounts.google.com",
        "aud": SECRET,
        "email": ACCOUNT,
        "email_verified": True,
        "exp": NOW + 60,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, rsa_key(2048), algorithm="RS256", headers={"kid": key_id})


def check(
    text: str, *, secret: str = SECRET, key_set_: str | None = None, now: float = NOW
) -> None:
    keys = key_set(NOW) if key_set_ is None else key_set_
    verify(
        resolve("google-pubsub").signature,
        secrets=[secret],
        method="POST",
        url=URL,
        headers={"Authorization": f"Bearer {text}"},
        body=b"{}",
        now=now,
        fetched=Fetched(key_sets={GOOGLE_KEYS: keys} if keys else {}),
    )


def reason_of(text: str, **given: Any) -> FailureReason:
    with pytest.raises(InvalidSignature) as raised:
        check(text, **given)
    return raised.value.reason


def test_a_token_for_the_audience_is_accepted() -> None:
    check(token())
    check(token(aud=["another", SECRET]))
    check(token(iss="accounts.google.com"))
    check(token(exp=NOW - 59))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": None},
        {"iss": None},
        {"exp": None},
        {"aud": 5},
        {"aud": []},
        {"aud": [SECRET + "x"]},
        {"iss": "https://accounts.google.com.evil.example"},
    ],
)
def test_a_token_without_a_required_claim_is_rejected(
    changes: dict[str, Any],
) -> None:
    assert reason_of(token(**changes)) == FailureReason.NO_MATCH


@pytest.mark.parametrize(
    "changes",
    [{"exp": NOW - 61}, {"exp": True}, {"nbf": NOW + 61}, {"iat": NOW + 61}],
)
def test_a_token_counts_only_during_its_time(changes: dict[str, Any]) -> None:
    reason = reason_of(token(**changes))

    assert reason == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE


def test_a_guessable_audience_needs_the_account() -> None:
    check(token(aud=URL), secret=f"{URL} {ACCOUNT}")

    assert reason_of(token(aud=URL), secret=URL) == FailureReason.NO_SECRET
    both = f"{URL} other@ana-example.iam.gserviceaccount.com"
    assert reason_of(token(aud=URL), secret=both) == FailureReason.NO_MATCH
    forged = token(aud=URL, email_verified=False)
    assert reason_of(forged, secret=f"{URL} {ACCOUNT}") == FailureReason.NO_MATCH


def test_a_new_secret_is_a_usable_audience() -> None:
    scheme = resolve("google-pubsub").signature
    assert scheme is not None

    assert is_usable_secret(scheme, new_secret(scheme))
    for secret in ("short", URL, "", " ", f" {ACCOUNT}"):
        assert not is_usable_secret(scheme, secret)


def test_keys_that_are_not_known_are_fetched() -> None:
    assert reason_of(token(), key_set_="") == FailureReason.KEYS_UNKNOWN
    old = key_set(NOW - 86_401)
    assert reason_of(token(), key_set_=old) == FailureReason.KEYS_UNKNOWN
    check(token(), key_set_=key_set(NOW - 86_399))


def test_an_unknown_key_is_looked_for_only_some_minutes_later() -> None:
    rotated = token(key_id="rotated")

    assert reason_of(rotated) == FailureReason.NO_MATCH
    old = key_set(NOW - 301)
    assert reason_of(rotated, key_set_=old) == FailureReason.KEYS_UNKNOWN


def test_the_address_of_keys_in_a_token_is_ignored() -> None:
    forged = jwt.encode(
        {"iss": "https://accounts.google.com", "aud": SECRET, "exp": NOW + 60},
        rsa_key(3072),
        algorithm="RS256",
        headers={"kid": KEY_ID, "jku": "https://evil.example", "jwk": {"kty": "RSA"}},
    )

    assert reason_of(forged) == FailureReason.NO_MATCH


def test_a_critical_extension_that_is_not_known_is_rejected() -> None:
    claims = {"iss": "https://accounts.google.com", "aud": SECRET, "exp": NOW + 60}
    headers = {"kid": KEY_ID, "crit": ["x"], "x": 1}
    made = jwt.encode(claims, rsa_key(2048), algorithm="RS256", headers=headers)

    assert reason_of(made) in {FailureReason.NO_MATCH, FailureReason.MALFORMED_HEADER}


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "a.b.c.d", ".b.c", "é.b.c"])
def test_a_malformed_token_is_rejected(text: str) -> None:
    assert reason_of(text) == FailureReason.MALFORMED_HEADER


def test_a_token_with_other_spelling_is_rejected() -> None:
    sent = signed("google-pubsub")
    spelled = sent.plus(Authorization=sent.headers["Authorization"] + "=")

    assert failure(spelled) == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": None},
        {"kid": 5},
        {"use": "enc"},
        {"kty": "oct", "k": "AAAA"},
        {"d": "AQAB"},
        {"n": "AQAB"},
        {"alg": "HS256"},
    ],
)
def test_a_key_that_is_no_public_key_for_signatures_is_not_stored(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="no usable key"):
        key_set_text(published_keys(**changes), fetched_at=NOW)


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [5]}', b"\xff"]
)
def test_an_answer_that_is_no_set_of_keys_is_not_stored(answer: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has its own text
        key_set_text(answer, fetched_at=NOW)


def test_a_short_key_is_not_stored() -> None:
    with pytest.raises(ValueError, match="no usable key"):
        key_set_text(published_keys(1024), fetched_at=NOW)


def test_a_set_of_keys_is_stored_with_its_time() -> None:
    stored = load_key_set(key_set(NOW))

    assert (list(stored.keys), stored.fetched_at) == ([KEY_ID], NOW)


def test_a_description_is_loaded() -> None:
    data = {"slug": "a", "name": "A", "signature": JWT}

    scheme = load_definition(data).signature

    assert isinstance(scheme, JwtScheme)
    assert (scheme.keys_url, scheme.subject_claim) == (JWT["keys_url"], "")
    assert "authorization" in load_definition(data).credential_headers
    assert scheme.expected(f"{URL} {ACCOUNT}") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algorithms", ["none"]),
        ("algorithms", ["HS256"]),
        ("algorithms", []),
        ("issuers", []),
        ("keys_url", "http://issuer.example/keys"),
        ("keys_url", "https://user@issuer.example/keys"),
        ("keys_url", "https://issuer.example:8443/keys"),
        ("read_from", {"body": "/token"}),
    ],
)
def test_a_description_that_proves_nothing_is_refused(name: str, value: object) -> None:
    data = {"slug": "a", "name": "A", "signature": {**JWT, name: value}}

    with pytest.raises(InvalidDefinition) as raised:
        load_definition(json.loads(json.dumps(data)))

    assert raised.value.faults[0].pointer.startswith("/signature")
