from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from senders.definitions import resolve
from senders.parsing import decode_body
from senders.signatures import (
    CertificateUnknown,
    FailureReason,
    InvalidSignature,
    is_usable_secret,
    verify_request,
)
from tests.senders.requests import NOW
from tests.senders.sender_keys import certificate, p256_key, pem, rsa_signature
from tests.senders.signers import sns_content, sns_message

CERTIFICATE_URL = sns_message()["SigningCertURL"]


def publish(
    *,
    certificates: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
    now: float | None = NOW,
    hash_name: str = "sha256",
    bits: int = 2048,
    **fields: str,
) -> None:
    message = sns_message(**fields)
    signature = rsa_signature(sns_content(message), hash_name, bits)
    verify_request(
        "sns",
        secrets=secrets,
        method="POST",
        url="",
        headers={},
        body=json.dumps({"Signature": signature, **message}).encode(),
        now=now,
        certificates=certificates or {},
    )


def cause_of(**given: object) -> FailureReason:
    with pytest.raises(InvalidSignature) as refused:
        publish(**given)  # type: ignore[arg-type]  # checked by publish itself
    return refused.value.reason


def test_a_certificate_that_was_not_fetched_is_asked_for() -> None:
    with pytest.raises(CertificateUnknown) as refused:
        publish(certificates={CERTIFICATE_URL + "x": certificate()})

    assert refused.value.url == CERTIFICATE_URL
    assert refused.value.reason == FailureReason.CERTIFICATE_UNKNOWN
    assert refused.value.http_status == 503


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem#x",
        "https://sns.eu-west-1.amazonaws.com/a/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-../x.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem\n",
        "https://sns.eu-west-1.s3.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://s3.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.s3.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.s3-eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/SimpleNotificationService-0a.pem",
        "https://sns.\u0131.amazonaws.com/SimpleNotificationService-0a.pem",
        "sns.eu-west-1.amazonaws.com",
    ],
)
def test_a_certificate_of_another_place_is_never_asked_for(url: str) -> None:
    cause = cause_of(SigningCertURL=url, certificates={url: certificate()})

    assert cause == FailureReason.CERTIFICATE_REFUSED


def test_a_certificate_of_a_chinese_region_counts() -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a.pem"

    publish(SigningCertURL=url, certificates={url: certificate()})


@pytest.mark.parametrize("now", [NOW - 10, NOW + 10, None])
def test_a_certificate_counts_only_while_it_is_valid(now: float | None) -> None:
    known = {CERTIFICATE_URL: certificate(NOW - 5, NOW + 5)}

    publish(certificates=known)

    assert cause_of(certificates=known, now=now) == FailureReason.CERTIFICATE_REFUSED


@pytest.mark.parametrize("text", ["", "x", "\ud800", pem(p256_key())])
def test_a_text_that_is_no_certificate_is_refused(text: str) -> None:
    cause = cause_of(certificates={CERTIFICATE_URL: text})

    assert cause == FailureReason.CERTIFICATE_REFUSED


def test_a_short_key_is_refused() -> None:
    known = {CERTIFICATE_URL: certificate(bits=1024)}

    cause = cause_of(certificates=known, bits=1024)

    assert cause == FailureReason.CERTIFICATE_REFUSED


def test_the_version_decides_the_hash() -> None:
    known = {CERTIFICATE_URL: certificate()}

    publish(certificates=known, SignatureVersion="1", hash_name="sha1")

    cause = cause_of(certificates=known, SignatureVersion="2", hash_name="sha1")
    assert cause == FailureReason.NO_MATCH


@pytest.mark.parametrize("version", ["3", "", "sha1"])
def test_another_version_is_refused(version: str) -> None:
    cause = cause_of(
        certificates={CERTIFICATE_URL: certificate()}, SignatureVersion=version
    )

    assert cause in {FailureReason.MALFORMED_BODY, FailureReason.MISSING_FIELD}


def test_a_certificate_may_be_set_as_a_secret() -> None:
    scheme = resolve("sns").signature
    assert scheme is not None

    publish(secrets=(certificate(),))

    assert is_usable_secret(scheme, certificate())
    assert not is_usable_secret(scheme, certificate(bits=1024))
    assert not is_usable_secret(scheme, "\ud800")


def hidden_in_gzip(hidden: bytes, decoded: bytes) -> bytes:
    """Return gzip whose header holds other bytes than those it decodes to."""
    plain = gzip.compress(decoded)
    extra = len(hidden).to_bytes(2, "little") + hidden
    return plain[:3] + b"\x04" + plain[4:10] + extra + plain[10:]


def test_a_signed_form_in_the_header_of_gzip_does_not_vouch_for_what_it_decodes() -> (
    None
):
    own = sns_message()
    signed = urlencode({"Signature": rsa_signature(sns_content(own)), **own})
    forged = urlencode({"TopicArn": "arn:of:the:victim", "Message": "forged"})
    body = hidden_in_gzip(b"&" + signed.encode() + b"&", forged.encode())
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert decode_body(body, "gzip") == forged.encode()
    with pytest.raises(InvalidSignature) as refused:
        verify_request(
            "sns",
            secrets=(),
            method="POST",
            url="",
            headers={**form, "Content-Encoding": "gzip"},
            body=body,
            now=NOW,
            certificates={CERTIFICATE_URL: certificate()},
        )
    assert refused.value.reason == FailureReason.MALFORMED_BODY
