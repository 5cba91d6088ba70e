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


def cause_of(slug: str, headers: dict[str, str], **others: Any) -> FailureReason:
    with pytest.raises(InvalidSignature) as refused:
        check(slug, headers, **others)
    return refused.value.reason


@pytest.mark.parametrize(
    "header", ["X-Webhook-Signature", "x-signature-256", "X-HUB-SIGNATURE-256"]
)
@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_generic_takes_bare_hex_and_prefixed_hex(  # R420
    header: str, prefix: str
) -> None:
    check("generic", {header: prefix + hex_hmac(PUSH)})


def test_an_unknown_type_is_verified_as_generic() -> None:
    check("nobody", {"X-Webhook-Signature": hex_hmac(PUSH)})


def test_github_verifies_a_push() -> None:  # R217
    check("github", {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH)})


def test_github_refuses_a_signature_without_its_prefix() -> None:
    headers = {"X-Hub-Signature-256": hex_hmac(PUSH)}

    assert cause_of("github", headers) == FailureReason.MALFORMED_HEADER


def test_a_changed_body_does_not_match() -> None:
    headers = {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH)}

    assert cause_of("github", headers, body=PUSH + b" ") == FailureReason.NO_MATCH


def test_a_refusal_is_a_401_that_does_not_tell_the_expected_value() -> None:
    with pytest.raises(InvalidSignature) as refused:
        check("github", {"X-Hub-Signature-256": "sha256=" + hex_hmac(b"other")})

    error = refused.value
    assert (error.http_status, error.code) == (401, "invalid_signature")
    assert error.reason == "no_match"
    assert error.detail == "The signature does not match."


@pytest.mark.parametrize("secrets", [["new", SECRET], [SECRET, "old"]])
def test_any_live_secret_verifies(secrets: list[str]) -> None:
    headers = {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH)}

    check("github", headers, secrets=secrets)


@pytest.mark.parametrize("secrets", [[], [""], ["\ud800"]])
def test_without_a_usable_secret_everything_is_refused(secrets: list[str]) -> None:
    headers = {"X-Hub-Signature-256": "sha256=" + hex_hmac(PUSH, secret="")}

    assert cause_of("github", headers, secrets=secrets) == FailureReason.NO_SECRET


@pytest.mark.parametrize("slug", shipped_slugs())
def test_a_request_without_a_signature_is_refused(slug: str) -> None:
    secrets = [
        WHSEC,
        raw_public(ed25519_key()).hex(),
        base64.b64encode(spki(p256_key())).decode(),
        certificate(),
    ]

    cause = cause_of(slug, {}, secrets=secrets)

    assert cause in {FailureReason.MISSING_HEADER, FailureReason.MISSING_FIELD}


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
def test_a_malformed_signature_is_refused(value: str) -> None:
    cause = cause_of("github", {"X-Hub-Signature-256": value})

    assert cause == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("secret", [WHSEC, WHSEC.removeprefix("whsec_")])
def test_standard_webhooks_verifies(secret: str) -> None:
    check("standardwebhooks", standard_headers(), secrets=[secret])


def test_standard_webhooks_finds_its_signature_among_several() -> None:
    headers = standard_headers()
    others = "v1a,AAAA v1,!!! " + standard_headers(b"other")["Webhook-Signature"]
    headers["Webhook-Signature"] = f"{others} {headers['Webhook-Signature']}"

    check("standardwebhooks", headers, secrets=[WHSEC])


def test_standard_webhooks_counts_no_other_version() -> None:
    headers = standard_headers()
    headers["Webhook-Signature"] = "v2" + headers["Webhook-Signature"][2:]

    cause = cause_of("standardwebhooks", headers, secrets=[WHSEC])

    assert cause == FailureReason.MALFORMED_HEADER


def test_more_than_twenty_signatures_are_refused() -> None:
    headers = standard_headers()
    headers["Webhook-Signature"] = " ".join([headers["Webhook-Signature"]] * 21)

    cause = cause_of("standardwebhooks", headers, secrets=[WHSEC])

    assert cause == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_a_signed_header_must_be_there(name: str, is_empty: bool) -> None:
    headers = standard_headers() | {name: ""}
    if not is_empty:
        del headers[name]

    cause = cause_of("standardwebhooks", headers, secrets=[WHSEC])

    assert cause == FailureReason.MISSING_HEADER


@pytest.mark.parametrize("sent", ["a" * 8193, "\u20ac", "\udcff"])
def test_a_signed_header_that_is_too_long_or_unreadable_is_refused(sent: str) -> None:
    headers = standard_headers() | {"Webhook-Id": sent}

    cause = cause_of("standardwebhooks", headers, secrets=[WHSEC])

    assert cause == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("offset", [-300, 300])
def test_a_timestamp_at_the_edge_of_the_tolerance_is_taken(offset: int) -> None:
    headers = standard_headers(signed_at=str(NOW + offset))

    check("standardwebhooks", headers, secrets=[WHSEC])


@pytest.mark.parametrize("offset", [-301, 301])
def test_a_timestamp_beyond_the_tolerance_is_refused(offset: int) -> None:
    headers = standard_headers(signed_at=str(NOW + offset))

    cause = cause_of("standardwebhooks", headers, secrets=[WHSEC])

    assert cause == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE


@pytest.mark.parametrize(
    "signed_at", [f"{NOW}.9", f"+{NOW}", "1_795_000_000", "1e9", "nan", "9" * 16]
)
def test_a_timestamp_that_is_no_plain_integer_is_refused(signed_at: str) -> None:
    headers = standard_headers(signed_at=signed_at)

    cause = cause_of("standardwebhooks", headers, secrets=[WHSEC])

    assert cause == FailureReason.MALFORMED_HEADER


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "whsec_\u00e9", "whsec_a"])
def test_a_secret_that_is_not_base64_is_no_secret(secret: str) -> None:
    cause = cause_of("standardwebhooks", standard_headers(), secrets=[secret])

    assert cause == FailureReason.NO_SECRET


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
def test_whatever_is_sent_only_the_documented_error_is_raised(
    slug: str, headers: dict[str, str], secrets: list[str], body: bytes
) -> None:
    with pytest.raises(InvalidSignature):
        check(slug, headers, body=body, secrets=secrets)
