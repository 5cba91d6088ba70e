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
from senders.signatures.verification import Fetched
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
        fetched=Fetched(certificates=certificates or {}),
    )


def reason_of(**given: object) -> FailureReason:
    with pytest.raises(InvalidSignature) as raised:
        publish(**given)  # type: ignore[arg-type]  # checked by publish itself
    return raised.value.reason


def test_an_unknown_certificate_is_reported_with_its_url() -> None:
    with pytest.raises(CertificateUnknown) as raised:
        publish(certificates={CERTIFICATE_URL + "x": certificate()})

    assert raised.value.url == CERTIFICATE_URL
    assert raised.value.reason == FailureReason.CERTIFICATE_UNKNOWN
    assert raised.value.http_status == 503


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
def test_a_certificate_of_another_host_or_path_is_rejected(url: str) -> None:
    reason = reason_of(SigningCertURL=url, certificates={url: certificate()})

    assert reason == FailureReason.CERTIFICATE_REFUSED


def test_a_certificate_of_a_chinese_region_is_accepted() -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a.pem"

    publish(SigningCertURL=url, certificates={url: certificate()})


@pytest.mark.parametrize("now", [NOW - 10, NOW + 10, None])
def test_a_certificate_is_accepted_only_while_it_is_valid(now: float | None) -> None:
    known = {CERTIFICATE_URL: certificate(NOW - 5, NOW + 5)}

    publish(certificates=known)

    assert reason_of(certificates=known, now=now) == FailureReason.CERTIFICATE_REFUSED


@pytest.mark.parametrize("text", ["", "x", "\ud800", pem(p256_key())])
def test_a_text_that_is_not_a_certificate_is_rejected(text: str) -> None:
    reason = reason_of(certificates={CERTIFICATE_URL: text})

    assert reason == FailureReason.CERTIFICATE_REFUSED


def test_a_short_key_is_rejected() -> None:
    known = {CERTIFICATE_URL: certificate(bits=1024)}

    reason = reason_of(certificates=known, bits=1024)

    assert reason == FailureReason.CERTIFICATE_REFUSED


def test_the_version_selects_the_hash() -> None:
    known = {CERTIFICATE_URL: certificate()}

    publish(certificates=known, SignatureVersion="1", hash_name="sha1")

    reason = reason_of(certificates=known, SignatureVersion="2", hash_name="sha1")
    assert reason == FailureReason.NO_MATCH


@pytest.mark.parametrize("version", ["3", "", "sha1"])
def test_an_unknown_version_is_rejected(version: str) -> None:
    reason = reason_of(
        certificates={CERTIFICATE_URL: certificate()}, SignatureVersion=version
    )

    assert reason in {FailureReason.MALFORMED_BODY, FailureReason.MISSING_FIELD}


def test_a_certificate_can_be_the_secret() -> None:
    scheme = resolve("sns").signature
    assert scheme is not None

    publish(secrets=(certificate(),))

    assert is_usable_secret(scheme, certificate())
    assert not is_usable_secret(scheme, certificate(bits=1024))
    assert not is_usable_secret(scheme, "\ud800")


def hidden_in_gzip(hidden: bytes, decoded: bytes) -> bytes:
    """Return gzip whose header contains other bytes than the decoded body."""
    plain = gzip.compress(decoded)
    extra = len(hidden).to_bytes(2, "little") + hidden
    return plain[:3] + b"\x04" + plain[4:10] + extra + plain[10:]


def test_a_signed_form_in_the_gzip_header_does_not_sign_the_decoded_body() -> None:
    own = sns_message()
    signed = urlencode({"Signature": rsa_signature(sns_content(own)), **own})
    forged = urlencode({"TopicArn": "arn:of:the:victim", "Message": "forged"})
    body = hidden_in_gzip(b"&" + signed.encode() + b"&", forged.encode())
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert decode_body(body, "gzip") == forged.encode()
    with pytest.raises(InvalidSignature) as raised:
        verify_request(
            "sns",
            secrets=(),
            method="POST",
            url="",
            headers={**form, "Content-Encoding": "gzip"},
            body=body,
            now=NOW,
            fetched=Fetched(certificates={CERTIFICATE_URL: certificate()}),
        )
    assert raised.value.reason == FailureReason.MALFORMED_BODY
