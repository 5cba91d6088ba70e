"""Operators for text; `contains` also searches lists."""

from __future__ import annotations

import re2

from common.values import well_formed
from conditions.operators.base import (
    Test,
    UnsupportedKindError,
    check_any,
    check_text,
    operator,
)
from conditions.values import is_equal

MAX_PATTERN_LENGTH = 1000
MAX_PATTERN_BYTES = 1 << 20
MAX_MATCHED_LENGTH = 100_000  # The slowest pattern takes 0.15 s.

PATTERN_OPTIONS = re2.Options()
PATTERN_OPTIONS.log_errors = False
PATTERN_OPTIONS.max_mem = MAX_PATTERN_BYTES


@operator("contains", opposites=("not_contains",), check=check_any)
def contains(expected: object) -> Test:
    """Require a part of a text, or an equal item of a list."""

    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return isinstance(expected, str) and expected in actual
        if isinstance(actual, list):
            return any(is_equal(item, expected) for item in actual)
        raise UnsupportedKindError("text or a list", actual)

    return test


@operator("starts_with", check=check_text)
def starts_with(expected: str) -> Test:
    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return actual.startswith(expected)
        raise UnsupportedKindError("text", actual)

    return test


@operator("ends_with", check=check_text)
def ends_with(expected: str) -> Test:
    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return actual.endswith(expected)
        raise UnsupportedKindError("text", actual)

    return test


def check_pattern(expected: object) -> str | None:
    if not isinstance(expected, str) or len(expected) > MAX_PATTERN_LENGTH:
        return f"needs a pattern of at most {MAX_PATTERN_LENGTH} characters"
    try:
        re2.compile(expected, options=PATTERN_OPTIONS)
    except UnicodeEncodeError:
        return "needs a pattern of valid Unicode text"
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
        return f"needs a valid RE2 pattern: {reason}"
    return None


@operator("matches", "matches_regex", check=check_pattern)
def matches(expected: str) -> Test:
    """Match an RE2 pattern at the start of the text; only `$` anchors the end.

    RE2 cannot read a lone surrogate, so it is matched as U+FFFD.
    """
    compiled = re2.compile(expected, options=PATTERN_OPTIONS)

    def test(actual: object) -> bool:
        if not isinstance(actual, str):
            raise UnsupportedKindError("text", actual)
        if len(actual) > MAX_MATCHED_LENGTH:
            raise UnsupportedKindError("text of at most 100,000 characters", actual)
        return compiled.match(well_formed(actual)) is not None

    return test
