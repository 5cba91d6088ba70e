from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from senders.signatures import FailureReason, InvalidSignature, verify
from tests.senders.requests import NOW, PUSH, SECRET, hex_hmac
from tests.senders.schemes import check_scheme, reason_of, scheme_of


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


def test_two_timestamps_are_rejected() -> None:
    entries = {"headers": ["Acme-Signature"], "separator": ","}
    scheme = scheme_of(
        kind="hmac",
        signed="{timestamp}.{body}",
        read_from={**entries, "prefixes": ["v1="]},
        timestamp={"read_from": {**entries, "prefixes": ["t="]}},
    )
    signature = hex_hmac(f"{NOW}.".encode() + PUSH)

    with pytest.raises(InvalidSignature) as raised:
        check_scheme(scheme, {"Acme-Signature": f"t={NOW},t=1,v1={signature}"})

    assert raised.value.reason == FailureReason.MALFORMED_HEADER


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


def test_a_signature_can_have_either_of_two_encodings() -> None:
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
def test_another_token_is_rejected(sent: str) -> None:
    scheme = scheme_of(kind="token", read_from={"headers": ["X-Acme-Token"]})

    with pytest.raises(InvalidSignature):
        check_scheme(scheme, {"X-Acme-Token": sent})


def test_a_sender_that_does_not_sign_is_accepted() -> None:
    verify(None, secrets=[], method="POST", url="", headers={}, body=b"x", now=NOW)


def test_base64url_may_be_without_its_padding() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{body}",
        encodings=["base64url"],
        read_from={"headers": ["X-Signature"]},
    )
    raw = hmac.new(SECRET.encode(), PUSH, "sha256").digest()
    text = base64.urlsafe_b64encode(raw).decode()

    check_scheme(scheme, {"X-Signature": text})
    check_scheme(scheme, {"X-Signature": text.rstrip("=")})

    assert (
        reason_of(scheme, {"X-Signature": text + "="}) == FailureReason.MALFORMED_HEADER
    )


def test_base64_must_be_canonical() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{body}",
        encodings=["base64"],
        read_from={"headers": ["X-Signature"]},
    )
    raw = hmac.new(SECRET.encode(), PUSH, "sha256").digest()
    text = base64.b64encode(raw).decode()
    last = chr(ord(text[-2]) + 1)
    assert base64.b64decode(text[:-2] + last + "=") == raw

    for other in (text[:-2] + last + "=", text[:-1], text[:9] + " " + text[9:]):
        assert (
            reason_of(scheme, {"X-Signature": other}) == FailureReason.MALFORMED_HEADER
        )


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha384", "sha512"])
def test_the_prefix_can_name_the_hash(name: str) -> None:
    hashes = {f"{name}=": name for name in ("sha1", "sha256", "sha384", "sha512")}
    scheme = scheme_of(
        kind="hmac",
        signed="{body}",
        read_from={"headers": ["X-Hub-Signature"]},
        hashes=hashes,
    )
    digest = hex_hmac(PUSH, hash_name=name)

    check_scheme(scheme, {"X-Hub-Signature": f"{name}={digest}"})

    for other in (f"md5={digest}", digest, f"sha224={digest}"):
        assert (
            reason_of(scheme, {"X-Hub-Signature": other})
            == FailureReason.MALFORMED_HEADER
        )


def test_a_digest_must_match_the_hash_of_its_prefix() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{body}",
        read_from={"headers": ["X-Hub-Signature"]},
        hashes={"sha256=": "sha256", "sha512=": "sha512"},
    )
    headers = {"X-Hub-Signature": "sha512=" + hex_hmac(PUSH)}

    assert reason_of(scheme, headers) == FailureReason.MALFORMED_HEADER


def test_a_plain_hash_contains_the_secret() -> None:
    scheme = scheme_of(
        kind="hash",
        signed="{secret}{method}{url}{body}",
        read_from={"headers": ["X-Signature"]},
    )
    content = f"{SECRET}POSThttps://a.example/".encode() + PUSH
    headers = {"X-Signature": hashlib.sha256(content).hexdigest()}

    check_scheme(scheme, headers, url="https://a.example/", secrets=["old", SECRET])

    assert (
        reason_of(scheme, headers, url="https://a.example/x") == FailureReason.NO_MATCH
    )
    assert reason_of(scheme, headers, secrets=[""]) == FailureReason.NO_SECRET


def test_only_certain_escapes_of_a_url_are_decoded() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{url_decoded}{body}",
        read_from={"headers": ["X-Signature"]},
    )
    sent = "https://a.example/%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B%20%26%3a%253A"
    signed = "https://a.example/:/?@!$'()*,;%20%26%3a%253A"

    signature = hex_hmac(signed.encode() + PUSH)

    check_scheme(scheme, {"X-Signature": signature}, url=sent)


def test_a_signature_can_be_in_the_body() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{json:/a~1b/0}:{json:/number}",
        read_from={"body": "/signature"},
    )
    signature = hex_hmac(b"x y:7")
    body = {"a/b": [" x y"[1:]], "number": 7, "signature": signature}

    check_scheme(scheme, {}, body=json.dumps(body).encode())

    changed = json.dumps({**body, "number": 8}).encode()
    assert reason_of(scheme, {}, body=changed) == FailureReason.NO_MATCH
    assert reason_of(scheme, {}, body=b"{}") == FailureReason.MISSING_FIELD
    malformed = {"Content-Type": "application/json"}
    assert reason_of(scheme, malformed, body=b"{") == FailureReason.MALFORMED_BODY


@pytest.mark.parametrize("now", [None, 0, NOW, 1e300])
def test_a_timestamp_without_a_tolerance_is_always_accepted(now: float | None) -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{timestamp}{body}",
        read_from={"headers": ["X-Signature"]},
        timestamp={"read_from": {"headers": ["X-Time"]}, "tolerance_seconds": None},
    )
    headers = {"X-Signature": hex_hmac(b"12" + PUSH), "X-Time": "12"}

    check_scheme(scheme, headers, now=now)

    assert (
        reason_of(scheme, {**headers, "X-Time": "x"}) == FailureReason.MALFORMED_HEADER
    )


def test_a_timestamp_can_be_in_the_signed_body() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{body}",
        read_from={"headers": ["X-Signature"]},
        timestamp={"read_from": {"body": "/at"}, "tolerance_seconds": 60},
    )
    body = json.dumps({"at": NOW - 60}).encode()
    headers = {"X-Signature": hex_hmac(body)}

    check_scheme(scheme, headers, body=body)

    late = reason_of(scheme, headers, body=body, now=NOW + 1)
    assert late == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE
    unknown = reason_of(scheme, headers, body=body, now=None)
    assert unknown == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE


@pytest.mark.parametrize(
    "body", [b'{"at": 1e9}', b'{"at": -1}', b'{"at": true}', b'{"at": []}', b"[]"]
)
def test_a_timestamp_in_the_body_must_be_a_whole_number(body: bytes) -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{body}",
        read_from={"headers": ["X-Signature"]},
        timestamp={"read_from": {"body": "/at"}},
    )
    headers = {"X-Signature": hex_hmac(body)}

    reason = reason_of(scheme, headers, body=body)

    assert reason in {FailureReason.MALFORMED_HEADER, FailureReason.MISSING_FIELD}


def test_a_token_can_be_in_a_body_of_any_type() -> None:
    scheme = scheme_of(kind="token", read_from={"body": "/token"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    check_scheme(scheme, {}, body=json.dumps({"token": SECRET}).encode())
    check_scheme(scheme, form, body=b"token=" + SECRET.replace(" ", "+").encode())

    for body in (b'{"token": ""}', b'{"token": null}', b"", b'{"token": ["a"]}'):
        assert reason_of(scheme, {}, body=body) == FailureReason.MISSING_FIELD
    assert reason_of(scheme, {}, body=b'{"token": "other"}') == FailureReason.NO_MATCH


def basic(credentials: str, scheme: str = "Basic") -> dict[str, str]:
    return {
        "Authorization": f"{scheme} {base64.b64encode(credentials.encode()).decode()}"
    }


def test_user_and_password_verify() -> None:
    scheme = scheme_of(kind="basic")

    check_scheme(scheme, basic("gull:caf\u00e9:x"), secrets=["gull:caf\u00e9:x"])
    check_scheme(scheme, basic("gull:a", "basic"), secrets=["b:c", "gull:a"])


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (basic("gull:b"), FailureReason.NO_MATCH),
        (basic("Gull:a"), FailureReason.NO_MATCH),
        (basic("gull:a", "Bearer"), FailureReason.MALFORMED_HEADER),
        ({"Authorization": "Basic"}, FailureReason.MALFORMED_HEADER),
        ({"Authorization": "Basic !!"}, FailureReason.MALFORMED_HEADER),
        ({"Authorization": "Basic \u20ac"}, FailureReason.MALFORMED_HEADER),
        ({"X-Authorization": "Basic x"}, FailureReason.MISSING_HEADER),
    ],
)
def test_another_user_or_password_is_rejected(
    headers: dict[str, str], reason: FailureReason
) -> None:
    assert reason_of(scheme_of(kind="basic"), headers, secrets=["gull:a"]) == reason


@pytest.mark.parametrize("secret", ["", "gull", "gull:", ":", "\ud800:a"])
def test_a_secret_without_a_password_is_not_usable(secret: str) -> None:
    reason = reason_of(scheme_of(kind="basic"), basic(":"), secrets=[secret])

    assert reason == FailureReason.NO_SECRET
