from __future__ import annotations

import re2

from conditions.operators.base import Test, UnjudgeableError, operator
from conditions.operators.checks import any_value, text
from conditions.values import same, well_formed

MAX_PATTERN_LENGTH = 1000
MAX_PATTERN_BYTES = 1 << 20
MAX_MATCHED_LENGTH = 100_000  # The worst pattern takes 0.15 s for so much.

PATTERN_OPTIONS = re2.Options()
PATTERN_OPTIONS.log_errors = False
PATTERN_OPTIONS.max_mem = MAX_PATTERN_BYTES


@operator("contains", opposites=("not_contains",), check=any_value)
def contains(expected: object) -> Test:
    """Find a piece of a text, or an equal item of a list."""

    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return isinstance(expected, str) and expected in actual
        if isinstance(actual, list):
            return any(same(item, expected) for item in actual)
        raise UnjudgeableError("text or a list", actual)

    return test


@operator("starts_with", check=text)
def starts_with(expected: str) -> Test:
    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return actual.startswith(expected)
        raise UnjudgeableError("text", actual)

    return test


@operator("ends_with", check=text)
def ends_with(expected: str) -> Test:
    def test(actual: object) -> bool:
        if isinstance(actual, str):
            return actual.endswith(expected)
        raise UnjudgeableError("text", actual)

    return test


def pattern(expected: object) -> str | None:
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


@operator("matches", "matches_regex", check=pattern)
def matches(expected: str) -> Test:
    """Match an RE2 pattern from the start of the text; the end is free without `$`.

    A lone surrogate, which RE2 cannot read, is matched as U+FFFD.
    """
    compiled = re2.compile(expected, options=PATTERN_OPTIONS)

    def test(actual: object) -> bool:
        if not isinstance(actual, str):
            raise UnjudgeableError("text", actual)
        if len(actual) > MAX_MATCHED_LENGTH:
            raise UnjudgeableError("text of 100,000 characters at most", actual)
        return compiled.match(well_formed(actual)) is not None

    return test
