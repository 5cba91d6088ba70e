from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senders.definitions import shipped_slugs
from senders.signatures import FailureReason, InvalidSignature
from tests.senders.requests import (
    NOW,
    PUSH,
    SECRET,
    WHSEC,
    check,
    hex_hmac,
    standard_headers,
)
from tests.senders.sender_keys import (
    certificate,
    ed25519_key,
    p256_key,
    raw_public,
    spki,
)


def reason_of(slug: str, headers: dict[str, str], **others: Any) -> FailureReason:
    with pytest.raises(InvalidSignature) as raised:
        check(slug, headers, **others)
    return raised.value.reason


@pytest.mark.parametrize(
    "header", ["X-Webhook-Signature", "x-signature-256", "X-HUB-SIGNATURE-256"]
)
@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_generic_accepts_hex_with_and_without_a_prefix(  # R420
    header: str, prefix: str
) -> None:
    check("generic", {header: prefix + hex_hmac(PUSH)})


def test_an_unknown_type_is_verified_as_generic() -> None:
    check("unknown", {"X-Webhook-Signature": hex_hmac(PUSH)})


def test_github_verifies_a_push() -> None:  # R217
    check("github", {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH)})


def test_github_rejects_a_signature_without_its_prefix() -> None:
    headers = {"X-Hub-Signature-256": hex_hmac(PUSH)}

    assert reason_of("github", headers) == FailureReason.MALFORMED_HEADER


def test_a_changed_body_does_not_match() -> None:
    headers = {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH)}

    assert reason_of("github", headers, body=PUSH + b" ") == FailureReason.NO_MATCH


def test_the_error_is_a_401_that_does_not_reveal_the_expected_value() -> None:
    with pytest.raises(InvalidSignature) as raised:
        check("github", {"X-Hub-Signature-256": "sha256=" + hex_hmac(b"other")})

    error = raised.value
    assert (error.http_status, error.code) == (401, "invalid_signature")
    assert error.reason == "no_match"
    assert error.detail == "The signature does not match."


@pytest.mark.parametrize("secrets", [["new", SECRET], [SECRET, "old"]])
def test_any_live_secret_verifies(secrets: list[str]) -> None:
    headers = {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH)}

    check("github", headers, secrets=secrets)


@pytest.mark.parametrize("secrets", [[], [""], ["\ud800"]])
def test_without_a_usable_secret_every_request_is_rejected(secrets: list[str]) -> None:
    headers = {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH, secret="")}

    assert reason_of("github", headers, secrets=secrets) == FailureReason.NO_SECRET


@pytest.mark.parametrize("slug", shipped_slugs())
def test_a_request_without_a_signature_is_rejected(slug: str) -> None:
    secrets = [
        WHSEC,
        raw_public(ed25519_key()).hex(),
        base64.b64encode(spki(p256_key())).decode(),
        certificate(),
        "ana:secret",
    ]

    reason = reason_of(slug, {}, secrets=secrets)

    assert reason in {FailureReason.MISSING_HEADER, FailureReason.MISSING_FIELD}


@pytest.mark.parametrize(
    "value",
    [
        "foo",
        "sha256=",
        "sha256=zz",
        "sha256=" + "a" * 63,
        "sha256=" + "a" * 66,
        "sha256=" + " ".join(["aa"] * 32),
        "sha1=" + "a" * 40,
        "sha256=\u0661" + "a" * 63,
        "sha256=\udcff",
        "sha256=" + "a" * 8200,
    ],
)
def test_a_malformed_signature_is_rejected(value: str) -> None:
    reason = reason_of("github", {"X-Hub-Signature-256": value})

    assert reason == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("secret", [WHSEC, WHSEC.removeprefix("whsec_")])
def test_standard_webhooks_verifies(secret: str) -> None:
    check("standardwebhooks", standard_headers(), secrets=[secret])


def test_standard_webhooks_finds_its_signature_among_several() -> None:
    headers = standard_headers()
    others = "v1a,AAAA v1,!!! " + standard_headers(b"other")["Webhook-Signature"]
    headers["Webhook-Signature"] = f"{others} {headers['Webhook-Signature']}"

    check("standardwebhooks", headers, secrets=[WHSEC])


def test_standard_webhooks_ignores_other_versions() -> None:
    headers = standard_headers()
    headers["Webhook-Signature"] = "v2" + headers["Webhook-Signature"][2:]

    reason = reason_of("standardwebhooks", headers, secrets=[WHSEC])

    assert reason == FailureReason.MALFORMED_HEADER


def test_more_than_twenty_signatures_are_rejected() -> None:
    headers = standard_headers()
    headers["Webhook-Signature"] = " ".join([headers["Webhook-Signature"]] * 21)

    reason = reason_of("standardwebhooks", headers, secrets=[WHSEC])

    assert reason == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_a_signed_header_must_be_present(name: str, is_empty: bool) -> None:
    headers = standard_headers() | {name: ""}
    if not is_empty:
        del headers[name]

    reason = reason_of("standardwebhooks", headers, secrets=[WHSEC])

    assert reason == FailureReason.MISSING_HEADER


@pytest.mark.parametrize("sent", ["a" * 8193, "\u20ac", "\udcff"])
def test_a_signed_header_that_is_too_long_or_unreadable_is_rejected(sent: str) -> None:
    headers = standard_headers() | {"Webhook-Id": sent}

    reason = reason_of("standardwebhooks", headers, secrets=[WHSEC])

    assert reason == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("offset", [-300, 300])
def test_a_timestamp_at_the_edge_of_the_tolerance_is_accepted(offset: int) -> None:
    headers = standard_headers(signed_at=str(NOW + offset))

    check("standardwebhooks", headers, secrets=[WHSEC])


@pytest.mark.parametrize("offset", [-301, 301])
def test_a_timestamp_beyond_the_tolerance_is_rejected(offset: int) -> None:
    headers = standard_headers(signed_at=str(NOW + offset))

    reason = reason_of("standardwebhooks", headers, secrets=[WHSEC])

    assert reason == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE


@pytest.mark.parametrize(
    "signed_at", [f"{NOW}.9", f"+{NOW}", "1_795_000_000", "1e9", "nan", "9" * 16]
)
def test_a_timestamp_that_is_not_a_plain_integer_is_rejected(signed_at: str) -> None:
    headers = standard_headers(signed_at=signed_at)

    reason = reason_of("standardwebhooks", headers, secrets=[WHSEC])

    assert reason == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "whsec_\u00e9", "whsec_a"])
def test_a_secret_that_is_not_base64_is_not_usable(secret: str) -> None:
    reason = reason_of("standardwebhooks", standard_headers(), secrets=[secret])

    assert reason == FailureReason.NO_SECRET


HEADER_NAMES = st.sampled_from(
    [
        "X-Hub-Signature-256",
        "x-webhook-signature",
        "webhook-id",
        "Webhook-Timestamp",
        "webhook-signature",
    ]
)


HOSTILE_TEXT = st.text(
    st.characters(exclude_categories=()), max_size=60
) | st.sampled_from(["sha256=", "v1,", "v1, v1,", f"{NOW}", "v1,===="])


@settings(deadline=None, max_examples=300)
@given(
    slug=st.sampled_from(shipped_slugs()),
    headers=st.dictionaries(HEADER_NAMES, HOSTILE_TEXT),
    secrets=st.lists(HOSTILE_TEXT, max_size=3),
    body=st.binary(max_size=50),
)
def test_only_the_documented_error_is_raised(
    slug: str, headers: dict[str, str], secrets: list[str], body: bytes
) -> None:
    with pytest.raises(InvalidSignature):
        check(slug, headers, body=body, secrets=secrets)
