"""The signed contents of Twilio and Amazon SNS, which no template can describe."""

from __future__ import annotations

import hashlib
import json

import pytest

from senders.definitions import resolve
from senders.definitions.webhook_types import find_document_faults
from senders.signatures import FailureReason, InvalidSignature, verify
from senders.signatures.requests import hooks
from senders.signatures.verification import Fetched
from tests.senders.requests import FORM, JSON, NOW, Sent, b64, mac
from tests.senders.sender_keys import certificate, rsa_signature
from tests.senders.signers import sns_content, sns_message
from tests.senders.table import signed

URL = "https://hooks.example/twilio?a=1"
BODY = b'{"gulls": 3}'


def call(content: str, *, url: str = URL, body: bytes = b"", form: bool = True) -> None:
    headers = {"X-Twilio-Signature": b64(mac(content.encode(), "sha1"))}
    content_type = FORM if form else JSON
    Sent(
        slug="twilio", url=url, headers=headers, body=body, content_type=content_type
    ).verify()


def test_the_fields_of_a_form_are_signed_in_order_of_their_names() -> None:
    call(URL + "Aa" + "Bb 1" + "Zz" + "a", body=b"a=&Z=z&B=b+1&A=a")


def test_a_repeated_field_is_signed_once_with_its_values_in_order() -> None:
    call(URL + "Digits1" + "Digits2", body=b"Digits=2&Digits=1&Digits=2")


@pytest.mark.parametrize(
    ("called", "signed"),
    [
        ("https://hooks.example/t", "https://hooks.example:443/t"),
        ("http://hooks.example?x=1", "http://hooks.example:80?x=1"),
        ("https://hooks.example:8443/t", "https://hooks.example/t"),
        ("https://[::1]:8443/t", "https://[::1]/t"),
        ("https://hooks.example", "https://hooks.example:443"),
    ],
)
def test_the_port_can_be_signed_or_omitted(called: str, signed: str) -> None:
    call(signed, url=called)


@pytest.mark.parametrize(
    "url", ["", "://", "x", "https://", "\udcff://a:1/", "a://b\n"]
)
def test_an_invalid_url_is_rejected_without_another_error(url: str) -> None:
    headers = {"X-Twilio-Signature": "AAAA"}
    request = Sent(slug="twilio", url=url, headers=headers, body=BODY)

    with pytest.raises(InvalidSignature):
        request.verify()


@pytest.mark.parametrize("form_name", ["", "json"])
def test_a_body_that_is_not_a_form_needs_its_hash_in_the_url(form_name: str) -> None:
    sent = signed("twilio", form_name=form_name)

    with pytest.raises(InvalidSignature):
        sent.but(content_type="text/plain", body=b"anything").verify()


def test_a_call_without_a_body_is_signed_by_its_url() -> None:
    call(URL, form=False)


@pytest.mark.parametrize("digest", [hashlib.sha256(BODY).hexdigest().upper(), "0" * 64])
def test_a_body_is_signed_by_its_hash_in_the_url(digest: str) -> None:
    url = f"{URL}&bodySHA256={digest}"

    if digest == "0" * 64:
        with pytest.raises(InvalidSignature, match="bodySHA256"):
            call(url, url=url, body=BODY, form=False)
    else:
        call(url, url=url, body=BODY, form=False)


@pytest.mark.parametrize("form", [True, False])
def test_a_hash_in_the_url_must_match_an_empty_body_too(form: bool) -> None:
    url = f"{URL}&bodySHA256={hashlib.sha256(BODY).hexdigest()}"

    with pytest.raises(InvalidSignature, match="bodySHA256"):
        call(url, url=url, form=form)


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"a=1&" * 1001])
def test_a_form_that_cannot_be_parsed_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidSignature) as raised:
        call(URL, body=body)

    assert raised.value.reason == FailureReason.MALFORMED_BODY


def publish(message: dict[str, str]) -> Sent:
    signature = rsa_signature(sns_content(message))
    body = json.dumps({**message, "Signature": signature}).encode()
    return Sent(slug="sns", secret=certificate(), body=body)


@pytest.mark.parametrize(
    "kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"]
)
def test_a_confirmation_of_sns_is_signed_with_its_url_and_token(kind: str) -> None:
    message = sns_message(Type=kind, SubscribeURL="https://sns.example/", Token="t")  # noqa: S106 - made up
    request = publish(message)

    request.verify()

    for name in ("SubscribeURL", "Token"):
        changed = request.body.replace(message[name].encode(), b"https://other/")
        with pytest.raises(InvalidSignature):
            request.but(body=changed).verify()


def test_a_notification_of_sns_can_omit_the_subject() -> None:
    message = sns_message()
    del message["Subject"]

    publish(message).verify()


@pytest.mark.parametrize(
    "name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
)
def test_each_field_that_sns_signs_must_be_unchanged(name: str) -> None:
    request = publish(sns_message())
    message = json.loads(request.body)
    dropped = {key: value for key, value in message.items() if key != name}

    for changed in ({**message, name: "other"}, {**message, name: 1}, dropped):
        with pytest.raises(InvalidSignature):
            request.but(body=json.dumps(changed).encode()).verify()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"Type": {}}'])
def test_a_body_that_is_not_a_message_of_sns_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        Sent(slug="sns", secret=certificate(), body=body).verify()


def test_the_schema_lists_each_hook() -> None:
    for name in [*hooks.names(), "unknown"]:
        signature = {
            "kind": "hmac",
            "signed_by": name,
            "read_from": {"headers": ["X-Signature"]},
        }
        data = {"slug": "acme", "name": "Acme", "signature": signature}

        assert bool(find_document_faults(data)) == (name == "unknown")


def test_a_certificate_is_found_by_its_url() -> None:
    request = publish(sns_message())
    url = sns_message()["SigningCertURL"]

    verify(
        resolve("sns").signature,
        secrets=[],
        method="POST",
        url="",
        headers={"Content-Type": "text/plain; charset=UTF-8"},
        body=request.body,
        now=NOW,
        fetched=Fetched(certificates={url: certificate()}),
    )
