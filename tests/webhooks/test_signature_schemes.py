from __future__ import annotations

import base64
import hmac

import pytest

from tests.webhooks.senders import NOW, PUSH, SECRET, hex_hmac
from webhooks.definitions import load_definition
from webhooks.definitions.schemes import SignatureScheme
from webhooks.signatures import Cause, InvalidSignature, verify


def scheme_of(**signature: object) -> SignatureScheme:
    data = {"slug": "acme", "name": "Acme", "signature": signature}
    scheme = load_definition(data).signature
    assert scheme is not None
    return scheme


def check_scheme(
    scheme: SignatureScheme, headers: dict[str, str], *, url: str = ""
) -> None:
    verify(
        scheme,
        secrets=[SECRET],
        method="post",
        url=url,
        headers=headers,
        body=PUSH,
        now=NOW,
    )


def test_one_header_can_carry_the_timestamp_and_several_signatures() -> None:
    entries = {"headers": ["Acme-Signature"], "separator": ","}
    scheme = scheme_of(
        kind="hmac",
        signed="{timestamp}.{body}",
        read_from={**entries, "prefixes": ["v1="]},
        timestamp={"read_from": {**entries, "prefixes": ["t="]}},
    )
    signature = hex_hmac(f"{NOW}.".encode() + PUSH)

    check_scheme(scheme, {"Acme-Signature": f"t={NOW}, v1=00,v1={signature},v0=ff"})


def test_two_timestamps_are_refused() -> None:
    entries = {"headers": ["Acme-Signature"], "separator": ","}
    scheme = scheme_of(
        kind="hmac",
        signed="{timestamp}.{body}",
        read_from={**entries, "prefixes": ["v1="]},
        timestamp={"read_from": {**entries, "prefixes": ["t="]}},
    )
    signature = hex_hmac(f"{NOW}.".encode() + PUSH)

    with pytest.raises(InvalidSignature) as refused:
        check_scheme(scheme, {"Acme-Signature": f"t={NOW},t=1,v1={signature}"})

    assert refused.value.cause == Cause.MALFORMED_HEADER


def test_method_url_and_milliseconds_can_be_signed() -> None:
    url = "https://hooks.example/webhooks/wht_1?a=1"
    scheme = scheme_of(
        kind="hmac",
        hash="sha512",
        signed="{method}{url}{body}{timestamp}",
        read_from={"headers": ["X-Signature"]},
        timestamp={"read_from": {"headers": ["X-Time"]}, "unit": "milliseconds"},
    )
    signed = b"POST" + url.encode() + PUSH + f"{NOW}000".encode()
    headers = {
        "X-Signature": hex_hmac(signed, hash_name="sha512"),
        "X-Time": f"{NOW}000",
    }

    check_scheme(scheme, headers, url=url)


def test_a_signature_may_come_in_either_of_two_encodings() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{body}",
        encodings=["hex", "base64"],
        read_from={"headers": ["X-Signature"]},
    )
    raw = hmac.new(SECRET.encode(), PUSH, "sha256").digest()

    check_scheme(scheme, {"X-Signature": raw.hex().upper()})
    check_scheme(scheme, {"X-Signature": base64.b64encode(raw).decode()})


def test_a_token_in_a_header_verifies() -> None:  # R215, R216
    scheme = scheme_of(
        kind="token",
        read_from={"headers": ["Authorization"], "prefixes": ["Bearer "]},
    )

    check_scheme(scheme, {"Authorization": f"Bearer {SECRET}"})


@pytest.mark.parametrize("sent", ["wrong", SECRET[:-1], SECRET + "\u20ac", "\udcff"])
def test_another_token_is_refused(sent: str) -> None:
    scheme = scheme_of(kind="token", read_from={"headers": ["X-Acme-Token"]})

    with pytest.raises(InvalidSignature):
        check_scheme(scheme, {"X-Acme-Token": sent})


def test_a_sender_that_signs_nothing_is_taken_as_it_is() -> None:
    verify(None, secrets=[], method="POST", url="", headers={}, body=b"x", now=NOW)
