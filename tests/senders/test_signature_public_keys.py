from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from senders.definitions import resolve
from senders.definitions.schemes import SignatureScheme
from senders.signatures import FailureReason, is_usable_secret
from tests.senders.requests import PUSH, failure
from tests.senders.schemes import check_scheme, reason_of, scheme_of
from tests.senders.sender_keys import (
    ecdsa_signature,
    ed25519_key,
    p256_key,
    pem,
    raw_public,
    spki,
)
from tests.senders.table import signed

ED25519 = {
    "hex": raw_public(ed25519_key()).hex(),
    "base64": base64.b64encode(raw_public(ed25519_key())).decode(),
    "pem": pem(ed25519_key()),
}
ECDSA = {
    "hex": spki(p256_key()).hex(),
    "base64": base64.b64encode(spki(p256_key())).decode(),
    "pem": pem(p256_key()),
}


def public_scheme(kind: str, encoding: str, **secret: object) -> SignatureScheme:
    return scheme_of(
        kind=kind,
        signed="{body}",
        encodings=["base64"],
        read_from={"headers": ["X-Signature"]},
        secret={"encoding": encoding, **secret},
    )


def signature_of(kind: str, body: bytes = PUSH) -> dict[str, str]:
    if kind == "ecdsa":
        return {"X-Signature": ecdsa_signature(body)}
    return {"X-Signature": base64.b64encode(ed25519_key().sign(body)).decode()}


@pytest.mark.parametrize("encoding", ["hex", "base64", "pem"])
@pytest.mark.parametrize(("kind", "keys"), [("ed25519", ED25519), ("ecdsa", ECDSA)])
def test_a_public_key_can_be_written_in_several_forms(
    kind: str, keys: dict[str, str], encoding: str
) -> None:
    scheme = public_scheme(kind, encoding)

    check_scheme(scheme, signature_of(kind), secrets=["old", keys[encoding]])

    other = signature_of(kind, b"other")
    assert reason_of(scheme, other, secrets=[keys[encoding]]) == FailureReason.NO_MATCH
    assert is_usable_secret(scheme, keys[encoding])


@pytest.mark.parametrize("encoding", ["base64", "pem"])
def test_a_key_in_another_form_than_its_sender_shows_is_not_a_secret(
    encoding: str,
) -> None:
    sent, scheme = signed("discord"), resolve("discord").signature
    assert scheme is not None
    assert sent.secret == ED25519["hex"]
    assert is_usable_secret(scheme, sent.secret)

    assert failure(sent.but(secret=ED25519[encoding])) == FailureReason.NO_SECRET
    assert not is_usable_secret(scheme, ED25519[encoding])


def test_an_ed25519_key_may_be_in_its_long_form() -> None:
    scheme = public_scheme("ed25519", "base64")
    key = base64.b64encode(spki(ed25519_key())).decode()

    check_scheme(scheme, signature_of("ed25519"), secrets=[key])


def other_curve() -> str:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    raw = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "AAAA",
        "\ud800",
        "-----BEGIN PUBLIC KEY-----",
        "A" * 9000,
        other_curve(),
    ],
)
def test_a_text_that_is_not_a_key_is_not_a_secret(kind: str, key: str) -> None:
    scheme = public_scheme(kind, "base64")

    assert (
        reason_of(scheme, signature_of(kind), secrets=[key]) == FailureReason.NO_SECRET
    )
    assert not is_usable_secret(scheme, key)


def test_a_key_of_another_algorithm_is_not_a_secret() -> None:
    for kind, keys in (("ed25519", ECDSA), ("ecdsa", ED25519)):
        for encoding, key in keys.items():
            assert not is_usable_secret(public_scheme(kind, encoding), key)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
@pytest.mark.parametrize("sent", ["AAAA", "AA==", "A" * 88, "MAYCAQACAQA=", "=", "!"])
def test_a_malformed_signature_is_rejected(kind: str, sent: str) -> None:
    scheme = public_scheme(kind, "base64")
    key = (ED25519 if kind == "ed25519" else ECDSA)["base64"]

    reason = reason_of(scheme, {"X-Signature": sent}, secrets=[key])

    assert reason in {FailureReason.NO_MATCH, FailureReason.MALFORMED_HEADER}


def test_a_required_prefix_is_part_of_the_form() -> None:
    scheme = public_scheme("ed25519", "base64", prefix="whpk_", prefix_required=True)
    key = ED25519["base64"]

    check_scheme(scheme, signature_of("ed25519"), secrets=["whpk_" + key])

    assert (
        reason_of(scheme, signature_of("ed25519"), secrets=[key])
        == FailureReason.NO_SECRET
    )
