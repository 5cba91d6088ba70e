"""Helpers that load a scheme and verify a request with it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from senders.definitions import load_definition
from senders.definitions.schemes import SignatureScheme
from senders.signatures import FailureReason, InvalidSignature, verify
from tests.senders.requests import NOW, PUSH, SECRET

JSON = "application/json"


def scheme_of(**signature: object) -> SignatureScheme:
    data = {"slug": "acme", "name": "Acme", "signature": signature}
    scheme = load_definition(data).signature
    assert scheme is not None
    return scheme


def check_scheme(
    scheme: SignatureScheme,
    headers: dict[str, str],
    *,
    url: str = "",
    body: bytes = PUSH,
    secrets: Sequence[str] = (SECRET,),
    now: float | None = NOW,
) -> None:
    verify(
        scheme,
        secrets=secrets,
        method="post",
        url=url,
        headers=headers,
        body=body,
        now=now,
    )


def reason_of(
    scheme: SignatureScheme, headers: dict[str, str], **others: object
) -> FailureReason:
    with pytest.raises(InvalidSignature) as raised:
        check_scheme(scheme, headers, **others)  # type: ignore[arg-type]  # as they come
    return raised.value.reason
