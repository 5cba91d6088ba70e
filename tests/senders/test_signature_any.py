"""Webhook types with a choice of several signature schemes."""

from __future__ import annotations

import base64

import pytest

from senders.definitions import load_definition, resolve
from senders.signatures import (
    FailureReason,
    InvalidSignature,
    is_usable_secret,
    new_secret,
    sends_secret,
)
from tests.senders.requests import (
    NOW,
    PUSH,
    SECRET,
    WHSEC,
    check,
    hex_hmac,
    standard_headers,
)
from tests.senders.schemes import check_scheme, reason_of, scheme_of
from tests.senders.sender_keys import ed25519_key, raw_public

HMAC = {
    "kind": "hmac",
    "signed": "{body}",
    "read_from": {"headers": ["X-Signature"]},
}
BEARER = {
    "kind": "token",
    "read_from": {"headers": ["Authorization"], "prefixes": ["Bearer "]},
}
BASIC = {"kind": "basic"}
SCHEME = scheme_of(kind="any", of=[HMAC, BASIC, BEARER])
USER = "gull:password"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Signature": hex_hmac(PUSH, secret=USER)},
        {"Authorization": "Basic " + base64.b64encode(USER.encode()).decode()},
        {"Authorization": f"Bearer {USER}"},
        {"X-Signature": "wrong", "Authorization": f"Bearer {USER}"},
    ],
)
def test_one_of_the_schemes_is_enough(headers: dict[str, str]) -> None:
    check_scheme(SCHEME, headers, secrets=[USER])


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, FailureReason.MISSING_HEADER),
        ({"X-Signature": "zz"}, FailureReason.MALFORMED_HEADER),
        ({"X-Signature": hex_hmac(b"other", secret=USER)}, FailureReason.NO_MATCH),
        ({"Authorization": "Bearer x"}, FailureReason.NO_MATCH),
    ],
)
def test_the_error_of_the_scheme_that_got_furthest_is_raised(
    headers: dict[str, str], reason: FailureReason
) -> None:
    assert reason_of(SCHEME, headers, secrets=[USER]) == reason


def test_without_a_secret_no_scheme_verifies() -> None:
    for headers in ({"Authorization": "Bearer "}, {"X-Signature": hex_hmac(PUSH)}):
        assert reason_of(SCHEME, headers, secrets=[""]) == FailureReason.NO_SECRET


def test_the_headers_that_carry_the_secret_are_known() -> None:
    signature = {"kind": "any", "of": [HMAC, BASIC, BEARER, GITLAB_TOKEN]}
    data = {"slug": "acme", "name": "Acme", "signature": signature}

    names = load_definition(data).credential_headers

    assert {"authorization", "x-gitlab-token"} <= names
    assert "x-signature" not in names


GITLAB_TOKEN = {"kind": "token", "read_from": {"headers": ["X-Gitlab-Token"]}}


def test_gitlab_signs_with_a_signing_token_or_sends_a_secret_token() -> None:
    check("gitlab", standard_headers(), secrets=[WHSEC])
    check("gitlab", {"X-Gitlab-Token": SECRET})


def test_gitlab_signing_tokens_are_not_secret_tokens() -> None:
    with pytest.raises(InvalidSignature) as raised:
        check("gitlab", {"X-Gitlab-Token": WHSEC}, secrets=[WHSEC])

    assert raised.value.reason == FailureReason.MISSING_HEADER


def test_only_a_secret_token_of_gitlab_is_sent() -> None:
    scheme = resolve("gitlab").signature
    assert scheme is not None

    assert sends_secret(scheme, SECRET)
    assert not sends_secret(scheme, WHSEC)
    assert new_secret(scheme).startswith("whsec_")
    assert is_usable_secret(scheme, SECRET)
    assert not is_usable_secret(scheme, "whsec_!")


def test_a_public_key_is_never_the_key_of_a_keyed_hash() -> None:
    public = raw_public(ed25519_key())
    forged = standard_headers(key=public)

    for secret in ("whpk_" + base64.b64encode(public).decode(), WHSEC):
        with pytest.raises(InvalidSignature):
            check("standardwebhooks", forged, secrets=[secret])


def test_one_header_can_have_both_kinds_of_standard_signatures() -> None:
    headers = standard_headers()
    content = f"msg_1.{NOW}.".encode() + PUSH
    signature = base64.b64encode(ed25519_key().sign(content)).decode()
    headers["Webhook-Signature"] += f" v1a,{signature}"
    public = "whpk_" + base64.b64encode(raw_public(ed25519_key())).decode()

    check("standardwebhooks", headers, secrets=[WHSEC])
    check("standardwebhooks", headers, secrets=[public])

    headers["Webhook-Id"] = "msg_2"
    for secret in (WHSEC, public):
        with pytest.raises(InvalidSignature):
            check("standardwebhooks", headers, secrets=[secret])
