from __future__ import annotations

import pytest

from senders.sandbox import SandboxRefused, run_parser


def returned(expression: str, before: str = "pass") -> dict[str, object]:
    code = f"def parse(body):\n    {before}\n    return {expression}"
    return run_parser(code, body=None, headers={}, config={})


@pytest.mark.parametrize(
    "expression", ["None", "[]", "1", "'x'", "True", "{1}", "parse"]
)
def test_a_parser_returns_a_dict(expression: str) -> None:
    with pytest.raises(SandboxRefused, match="not a dict"):
        returned(expression)


@pytest.mark.parametrize(
    "value",
    [
        "b'x'",
        "{1}",
        "(1,)",
        "float('nan')",
        "float('-inf')",
        "datetime.datetime(2026, 1, 1)",
        "int",
        "...",
    ],
)
def test_a_result_must_be_json(value: str) -> None:
    with pytest.raises(SandboxRefused, match="which is not JSON"):
        returned(f"{{'a': [{value}]}}", before="import datetime")


def test_the_keys_of_a_result_must_be_text() -> None:
    with pytest.raises(SandboxRefused, match="a key that is not text"):
        returned("{'a': {1: 2}}")


@pytest.mark.parametrize(("levels", "fits"), [(19, True), (20, False)])
def test_the_depth_of_a_result_is_limited(levels: int, fits: bool) -> None:
    before = f"d = {{}}\n    for _ in range({levels}): d = {{'a': d}}"

    if fits:
        assert returned("d", before)
        return
    with pytest.raises(SandboxRefused, match="more than 20 levels"):
        returned("d", before)


@pytest.mark.parametrize(
    "expression",
    [
        "{'a': 'x' * 65_530}",
        "{'x' * 65_530: 1}",
        "{'a': [1] * 40_000}",
        "{'a': '\u00e4' * 12_000}",
        "{'a': [10**4000] * 20}",
    ],
)
def test_the_size_of_a_result_is_limited(expression: str) -> None:
    with pytest.raises(SandboxRefused, match="more than 64 KB"):
        returned(expression)


def test_a_large_result_within_the_limit_is_accepted() -> None:
    assert returned("{'a': 'x' * 65_527}") == {"a": "x" * 65_527}


def test_a_number_with_too_many_digits_is_rejected() -> None:
    with pytest.raises(SandboxRefused, match="too many digits"):
        returned("{'a': 10**5000}")


def test_a_result_that_contains_itself_is_cut_off() -> None:
    assert returned("d", before="d = {}; d['d'] = d") == {"d": "{...}"}
