"""Which descriptions of a signature are accepted, and which are rejected."""

from __future__ import annotations

from typing import Any

import pytest

from senders.definitions import InvalidDefinition, load_definition
from senders.definitions.schemes import (
    BodyField,
    CertificateScheme,
    Encoding,
    HashName,
)

HEADER = {"headers": ["X-Signature"]}
TIME = {"read_from": {"headers": ["X-Time"]}}
HMAC: dict[str, Any] = {"kind": "hmac", "signed": "{body}", "read_from": HEADER}
HASH: dict[str, Any] = {"kind": "hash", "signed": "{secret}{body}", "read_from": HEADER}
ED25519: dict[str, Any] = {
    "kind": "ed25519",
    "signed": "{body}",
    "read_from": HEADER,
    "secret": {"encoding": "hex"},
}
CERTIFICATE: dict[str, Any] = {
    "kind": "rsa-cert",
    "signed": "{json:/text}",
    "read_from": {"body": "/signature"},
    "encodings": ["base64"],
    "certificate": {
        "url": {"body": "/url"},
        "host": r"[a-z]+\.example",
        "path": r"/[a-z]+\.pem",
    },
    "version": {"read_from": {"body": "/version"}, "hashes": {"1": "sha1"}},
}


def load(signature: dict[str, Any]) -> object:
    data = {"slug": "acme", "name": "Acme", "signature": signature}
    return load_definition(data).signature


def test_a_certificate_scheme_is_loaded_completely() -> None:
    scheme = load(CERTIFICATE)

    assert isinstance(scheme, CertificateScheme)
    assert scheme.certificate_url == BodyField(path=("url",))
    assert scheme.version == BodyField(path=("version",))
    assert scheme.hashes == (("1", HashName.SHA1),)
    assert (scheme.url_host, scheme.url_path) == (r"[a-z]+\.example", r"/[a-z]+\.pem")
    assert scheme.encodings == (Encoding.BASE64,)


@pytest.mark.parametrize(
    ("signature", "detail"),
    [
        ({**HASH, "signed": "{body}"}, "{secret} is missing"),
        ({**HMAC, "signed": "{secret}{body}"}, "only for signatures of kind hash"),
        ({**HMAC, "signed": "{url}"}, "{body} is missing"),
        ({**HMAC, "signed": "{json:/a}"}, "{body} is missing"),
        ({**HMAC, "read_from": {"body": "/s"}, "signed": "{url}"}, "{body} is missing"),
        ({**HMAC, "timestamp": TIME}, "unless {timestamp} is signed"),
        ({**HMAC, "signed": "{timestamp}{body}"}, "no timestamp is described"),
        ({**HMAC, "signed": "{body}{json:a}"}, "unknown placeholder"),
        ({**HMAC, "signed": "{body}{query:a}"}, "unknown placeholder"),
        ({**ED25519, "signed": "{url}"}, "{body} is missing"),
        (
            {
                "kind": "hmac",
                "signed_by": "sns",
                "read_from": HEADER,
                "timestamp": TIME,
            },
            "if signed_by is used",
        ),
        ({"kind": "any", "of": [HMAC, {**HASH, "signed": "{body}"}]}, "{secret}"),
    ],
)
def test_a_scheme_that_proves_nothing_is_rejected(
    signature: dict[str, Any], detail: str
) -> None:
    with pytest.raises(InvalidDefinition) as raised:
        load(signature)

    [fault] = raised.value.faults
    assert fault.pointer == "/signature/signed"
    assert detail in fault.detail


@pytest.mark.parametrize(
    "signature",
    [
        {**HMAC, "hash": "md5"},
        {**HMAC, "hashes": {"md5=": "md5"}},
        {**HMAC, "hashes": {"": "sha1"}},
        {**HMAC, "encodings": []},
        {**HMAC, "signed_by": "twilio"},
        {**HMAC, "signed_by": "os"},
        {"kind": "hmac", "read_from": HEADER},
        {**HMAC, "read_from": {}},
        {**HMAC, "read_from": {"body": "signature"}},
        {**HMAC, "read_from": {**HEADER, "body": "/signature"}},
        {**HMAC, "read_from": {"separator": ","}},
        {**HMAC, "secret": {"encoding": "pem"}},
        {**HMAC, "timestamp": {**TIME, "tolerance_seconds": 0}},
        {**ED25519, "secret": {}},
        {**ED25519, "hash": "sha1"},
        {"kind": "basic", "read_from": HEADER},
        {"kind": "token", "read_from": HEADER, "signed": "{body}"},
        {"kind": "any", "of": [HMAC]},
        {"kind": "any", "of": [HMAC, {"kind": "none"}]},
        {"kind": "any", "of": [HMAC, {"kind": "any", "of": [HMAC, HASH]}]},
        {"kind": "any", "of": [HMAC, {**HMAC, "more": 1}]},
        {"kind": "magic"},
    ],
)
def test_unknown_members_are_rejected(signature: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition) as raised:
        load(signature)

    assert all(fault.pointer.startswith("/signature") for fault in raised.value.faults)


@pytest.mark.parametrize("name", ["host", "path"])
@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1"])
def test_a_pattern_that_does_not_take_linear_time_is_rejected(
    name: str, pattern: str
) -> None:
    certificate = {**CERTIFICATE["certificate"], name: pattern}

    with pytest.raises(InvalidDefinition) as raised:
        load({**CERTIFICATE, "certificate": certificate})

    [fault] = raised.value.faults
    assert "RE2" in fault.detail


def test_a_signature_in_the_body_excludes_a_json_form_field() -> None:
    inside = {**HMAC, "signed": "{json:/a}", "read_from": {"body": "/signature"}}
    document = {"slug": "s", "name": "S", "form_json_field": "payload"}

    load_definition({**document, "signature": HMAC})
    with pytest.raises(InvalidDefinition) as raised:
        load_definition(
            {**document, "signature": {"kind": "any", "of": [HMAC, inside]}}
        )

    assert [fault.pointer for fault in raised.value.faults] == ["/form_json_field"]
