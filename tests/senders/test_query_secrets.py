"""Secrets in the query, for senders that can only be given a URL."""

from __future__ import annotations

from typing import Any

import pytest

from senders.definitions import InvalidDefinition, load_definition
from senders.errors import FailureReason, InvalidSignature
from senders.signatures import RawRequest, sign, verify

TYPE: dict[str, Any] = {
    "slug": "grid",
    "name": "Grid",
    "signature": {"kind": "token", "read_from": {"query": "code"}},
}
SCHEME = load_definition(TYPE).signature
SECRET = "s3 cret+/=é"  # noqa: S105 - made up for the tests


def check(query: str, *secrets: str) -> None:
    url = f"https://hooks.example/webhooks/wht_1{query}"
    verify(
        SCHEME,
        secrets=secrets or (SECRET,),
        method="POST",
        url=url,
        headers={},
        body=b"",
        now=None,
    )


@pytest.mark.parametrize(
    "query",
    [
        "?code=s3+cret%2B%2F%3D%C3%A9",
        "?a=1&%63ode=s3%20cret%2B/=%c3%a9&b=2",
        "?code=wrong&code=s3+cret%2B%2F%3D%C3%A9#code=x",
    ],
)
def test_the_parameter_is_compared_as_it_is_decoded(query: str) -> None:
    check(query)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", FailureReason.MISSING_FIELD),
        ("?", FailureReason.MISSING_FIELD),
        ("?code=", FailureReason.MISSING_FIELD),
        ("?Code=s3+cret%2B%2F%3D%C3%A9", FailureReason.MISSING_FIELD),
        ("#?code=s3+cret%2B%2F%3D%C3%A9", FailureReason.MISSING_FIELD),
        ("?code=s3", FailureReason.NO_MATCH),
        ("?code=" + "x" * 9000, FailureReason.MALFORMED_HEADER),
        ("?" + "code=x&" * 21, FailureReason.MALFORMED_HEADER),
        ("?" + "a=x&" * 1001, FailureReason.MALFORMED_HEADER),
    ],
)
def test_another_query_is_rejected(query: str, reason: FailureReason) -> None:
    with pytest.raises(InvalidSignature) as raised:
        check(query)

    assert raised.value.reason is reason
    assert "s3" not in raised.value.detail


def test_an_empty_secret_is_never_accepted() -> None:
    with pytest.raises(InvalidSignature):
        check("?code=", "")


def test_a_sample_is_signed_in_its_url() -> None:
    assert SCHEME is not None
    request = RawRequest.of(method="POST", url="https://x/y?a=1", headers={}, body=b"")

    signed = sign(SCHEME, request, secret=SECRET, now=0)

    assert signed.url == "https://x/y?a=1&code=s3+cret%2B%2F%3D%C3%A9"
    check(signed.url.removeprefix("https://x/y"))


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, {"code"}),
        ({"credential_query": ["Sig"]}, {"code", "sig"}),
        ({"config_matches": [{"query": "key", "config": "k"}]}, {"code", "key"}),
    ],
)
def test_parameters_that_prove_the_sender_are_credentials(
    more: dict[str, Any], names: set[str]
) -> None:
    always = {"access_token", "client_secret", "password"}

    assert load_definition({**TYPE, **more}).credential_query == always | names


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"event_type": [{"constant": "a"}, {"query": "CODE"}]}, "/event_type/1"),
        (
            {"delivery_id": [{"join": [{"query": "code"}, {"body": "/id"}]}]},
            "/delivery_id/0",
        ),
        ({"signature": {"kind": "token", "read_from": {"query": ""}}}, ""),
        ({"signature": {"kind": "hmac", "signed": "{body}",
                        "read_from": {"query": "code"}}}, ""),
    ],
)  # fmt: skip
def test_a_credential_cannot_be_stored_or_be_another_kind_of_signature(
    more: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        load_definition({**TYPE, **more})

    assert refusal.value.faults[0].pointer.startswith(pointer)
