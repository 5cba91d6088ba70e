from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import clean_text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain é 日本", "plain é 日本"),
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud800b", "a?b"),
        ("too long for it", "too long for"),
        ("", ""),
    ],
)
def test_text_becomes_storable(text: str, cleaned: str) -> None:
    assert clean_text(text, limit=12) == cleaned


@given(st.text(st.characters()), st.integers(min_value=0, max_value=50))
def test_any_text_becomes_storable(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit=limit)

    assert len(cleaned) <= limit
    assert "\x00" not in cleaned
    cleaned.encode()
    assert clean_text(cleaned, limit=limit) == cleaned
