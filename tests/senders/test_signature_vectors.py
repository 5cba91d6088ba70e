"""Requests that senders, their documentation or their libraries publish."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from senders.signatures import InvalidSignature
from tests.senders.requests import Sent

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "vectors" / "signatures.json").read_bytes()
)


def request_of(vector: dict[str, Any], now: float | None) -> Sent:
    return Sent(
        slug=vector["provider"],
        secret=vector["secret"],
        method=vector["method"],
        url=vector["url"],
        headers=vector["headers"],
        content_type="",
        body=base64.b64decode(vector["body_b64"]),
        now=now,
    )


def times_of(vector: dict[str, Any]) -> list[float | None]:
    """Return the times to verify at; a vector without a time is valid at any."""
    return [None, 0, 4e9] if vector["now"] is None else [vector["now"]]


def test_all_vectors_are_loaded() -> None:
    assert len({vector["id"] for vector in VECTORS}) == 74


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_published_request_is_valid_exactly_if_its_source_says_so(
    vector: dict[str, Any],
) -> None:
    for now in times_of(vector):
        request = request_of(vector, now)
        if vector["valid"]:
            request.verify()
        else:
            with pytest.raises(InvalidSignature):
                request.verify()
