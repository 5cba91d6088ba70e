from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import json_cost
from common.json_cost import JSONTooCostly, is_deeper_than, parse_within_cost

MANY = b"[" + b"[]," * 2000 + b"1]"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('"[]{},\\:ab', max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('"[{,\\'), inner),
)


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    was_enabled = gc.isenabled()
    yield
    assert gc.isenabled() is was_enabled


def containers_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(containers_of, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(containers_of, value))
    return 0


@given(value=JSON_VALUES, is_compact=st.booleans())
def test_only_containers_outside_of_strings_are_counted(
    value: object, is_compact: bool
) -> None:
    body = json.dumps(value, separators=(",", ":") if is_compact else None).encode()
    count = containers_of(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_cost, "MAX_CONTAINERS", count)
        assert parse_within_cost(body, json.loads) == value
        patch.setattr(json_cost, "MAX_CONTAINERS", count - 1)
        if count:
            with pytest.raises(JSONTooCostly, match="arrays and objects"):
                parse_within_cost(body, json.loads)


def test_values_are_counted_with_the_containers() -> None:
    body = b"[" + b"1," * 999_998 + b"1]"

    assert len(parse_within_cost(body, json.loads)) == 999_999
    with pytest.raises(JSONTooCostly, match="has more than 1,000,000 values"):
        parse_within_cost(body.replace(b"1]", b"1,1,1]"), json.loads)


def test_strings_that_are_expensive_to_count_are_rejected() -> None:
    body = json.dumps(["[,"] * 500_001).encode()

    with pytest.raises(JSONTooCostly):
        parse_within_cost(body, json.loads)


def test_no_encoding_hides_brackets() -> None:
    body = ('["\u2200",' + "[]," * 100_000 + "1]").encode("utf-16-le")

    with pytest.raises(JSONTooCostly, match="arrays and objects"):
        parse_within_cost(body, json.loads)


def test_the_collector_pauses_only_while_many_containers_are_made() -> None:
    states: list[bool] = []

    def parse(body: bytes) -> None:
        states.append(gc.isenabled())

    parse_within_cost(MANY, parse)
    parse_within_cost(b"[]", parse)

    assert states == [False, True]


def test_the_collector_runs_again_after_an_error() -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_within_cost(MANY[:-1], json.loads)

    assert gc.isenabled()


def test_the_collector_pauses_until_the_last_thread_is_done() -> None:
    states: list[bool] = []
    for _ in range(20):
        barrier = Barrier(8)

        def parse(body: bytes, barrier: Barrier = barrier) -> None:
            barrier.wait()
            states.append(gc.isenabled())
            barrier.wait()

        threads = [
            Thread(target=parse_within_cost, args=(MANY, parse)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert gc.isenabled()

    assert states == [False] * 160


def test_a_disabled_collector_stays_disabled() -> None:
    gc.disable()
    try:
        parse_within_cost(MANY, json.loads)
        assert not gc.isenabled()
    finally:
        gc.enable()


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize(
    ("value", "limit", "is_deeper"),
    [
        (1, 0, False),
        ([], 0, True),
        ([], 1, False),
        (nested(2), 4, False),
        (nested(2), 3, True),
        (nested(10_000), 100, True),
    ],
    ids=range(6),
)
def test_nesting_is_measured(value: object, limit: int, is_deeper: bool) -> None:
    assert is_deeper_than(value, limit) is is_deeper
