from __future__ import annotations

from types import MappingProxyType

import pytest

from common.templating import InvalidTemplate, RenderingFailed, parse_path
from common.values import MISSING

DOCUMENT: dict[str, object] = {
    "body": {
        "a.b": [{"c": 1}, {"c": 2}],
        "orders": [
            {"id": 1, "lines": [{"sku": "x"}, {"sku": "y"}]},
            {"id": None, "lines": []},
            {"lines": "none"},
            "text",
        ],
        "empty": [],
        "0": "zero",
        "-1": "minus one",
        "*": "star",
        'say "hi"\n': 2,
        "nothing": None,
        "grid": [[1, 2], [3], 4],
    },
    "headers": {"x-shop": "eu"},
    "request": {"headers": {"x-shop": "eu"}, "query": {"page": "2"}},
}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('body["a.b"][-1].c', 2),
        ('body["a.b"][-2].c', 1),
        ('body["a.b"].0.c', 1),
        ('body["a.b"]["0"].c', 1),
        ("body[0]", "zero"),
        ("body.0", "zero"),
        ("body.-1", "minus one"),
        ("body.*", "star"),
        (r'body["say \"hi\"\n"]', 2),
        (r'body["\u0030"]', "zero"),
        ("body.nothing", None),
        ("body.orders[*].id", [1, None]),
        ("body.orders[*].lines[*].sku", ["x", "y"]),
        ("body.orders[*].lines[0].sku", ["x"]),
        ("body.orders[*].absent", []),
        ("body.empty[*]", []),
        ("body.grid[*]", [[1, 2], [3], 4]),
        ("body.grid[*][*]", [1, 2, 3]),
        ("body.grid[*][-1]", [2, 3]),
        ("body.grid[-2][*]", [3]),
        ("headers.X-Shop", "eu"),
        ('request.headers["X-SHOP"]', "eu"),
        ("request.query_params.page", "2"),
    ],
)
def test_a_path_finds_its_value(written: str, value: object) -> None:
    assert parse_path(written).find(DOCUMENT) == value


@pytest.mark.parametrize(
    "written",
    [
        "absent",
        "body.absent.deeper",
        "body.nothing.deeper",
        "body.grid[3]",
        "body.grid[-4]",
        "body.grid[99999999999999999999]",
        "body.grid.-1",
        "body.grid.a",
        "body[-1]",
        "body[*]",
        "body.absent[*]",
        "body.nothing[*].id",
        "body.Orders",
        "headers.__class__",
        "body.grid.__len__",
    ],
)
def test_an_absent_value_is_missing(written: str) -> None:
    assert parse_path(written).find(DOCUMENT) is MISSING


def test_any_mapping_is_an_object() -> None:
    document = MappingProxyType({"body": MappingProxyType({"a": [1]})})

    assert parse_path("body.a[-1]").find(document) == 1


NAMES = 'write a name with spaces, dots or signs as in body["a.b"]'
BRACKETS = 'Brackets hold an index as [0] or [-1], [*], or a key as ["a.b"]'
QUOTES = (
    'The text in quotes is not valid: close it with "; write \\" for " and \\\\ for \\'
)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "Column 1: A path begins with a name, such as body.id"),
        (".a", "Column 1: A path begins with a name, such as body.id"),
        ("[0]", "Column 1: A path begins with a name, such as body.id"),
        ("a..b", f"Column 3: A name must follow the dot; {NAMES}"),
        ("a.", f"Column 3: A name must follow the dot; {NAMES}"),
        ("a.[0]", f"Column 3: A name must follow the dot; {NAMES}"),
        ("a b", f"Column 2: The path is not valid here; {NAMES}"),
        ("a[0]b", f"Column 5: The path is not valid here; {NAMES}"),
        ("a]", f"Column 2: The path is not valid here; {NAMES}"),
        ("a[]", f"Column 2: {BRACKETS}"),
        ("a[b]", f"Column 2: {BRACKETS}"),
        ("a['b']", f"Column 2: {BRACKETS}"),
        ("a[-0]", f"Column 2: {BRACKETS}"),
        ("a[1.5]", f"Column 2: {BRACKETS}"),
        ("a[+1]", f"Column 2: {BRACKETS}"),
        ("a[\u0661]", f"Column 2: {BRACKETS}"),
        ("a[ 1 ]", f"Column 2: {BRACKETS}"),
        ("a[1", "Column 2: Close the bracket with ]"),
        ('a["b', f"Column 3: {QUOTES}"),
        ('a["\\x"]', f"Column 3: {QUOTES}"),
        ('a["b"', "Column 2: Close the bracket with ]"),
        ("a.\ud800", "Column 3: A path must be valid Unicode without NUL"),
        ('a["\0"]', "Column 4: A path must be valid Unicode without NUL"),
        ("a." + "x" * 499, "Column 501: A path can have at most 500 characters"),
        ("a\n.b", f"Line 1, column 2: The path is not valid here; {NAMES}"),
    ],
)
def test_an_invalid_path_is_rejected_with_its_column(
    written: str, message: str
) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        parse_path(written)

    assert str(raised.value) == message


def test_a_path_begins_with_a_known_root() -> None:
    roots = frozenset({"body", "headers"})

    assert parse_path("body.x", roots=roots).text == "body.x"
    with pytest.raises(InvalidTemplate, match="name 'bdy'; did you mean 'body'"):
        parse_path("bdy.x", roots=roots)


def test_a_path_of_the_greatest_length_has_250_steps() -> None:
    path = parse_path("a" + ".0" * 249)

    assert len(path.steps) == 250


def test_paths_with_the_same_steps_are_equal() -> None:
    assert parse_path("a.b.0") == parse_path('a["b"][0]')
    assert hash(parse_path("a.b")) == hash(parse_path('a["b"]'))
    assert parse_path("a[-1]") != parse_path("a.-1")
    assert parse_path("a[*]") != parse_path("a.*")


def test_each_reads_at_most_100_000_values() -> None:
    within: dict[str, object] = {"a": [None] * 100_000}
    over: dict[str, object] = {"a": [None] * 100_001}

    found = parse_path("a[*]").find(within)

    assert found == within["a"]
    with pytest.raises(RenderingFailed, match=r"\[\*\] would read over 100,000 values"):
        parse_path("a[*]").find(over)


def test_a_list_that_contains_itself_many_times_is_not_multiplied() -> None:
    shared: list[object] = [0] * 1_000
    for _ in range(10):
        shared = [shared] * 1_000

    with pytest.raises(RenderingFailed, match="would read over"):
        parse_path("a" + "[*]" * 11).find({"a": shared})
