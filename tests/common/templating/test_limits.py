from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from common.templating import (
    InvalidTemplate,
    RenderingFailed,
    TemplateError,
    parse_template,
)

TOO_LARGE = "The text would be larger than 64 KB"


def render(template: str, **document: object) -> str:
    return parse_template(template).render(document)


def test_a_template_has_at_most_16_384_characters() -> None:
    assert render("x" * 16_384) == "x" * 16_384
    with pytest.raises(InvalidTemplate, match="at most 16,384 characters"):
        parse_template("x" * 16_385)


def test_a_template_has_at_most_500_places() -> None:
    assert render("{{a}}" * 500, a=1) == "1" * 500
    with pytest.raises(InvalidTemplate, match=r"Column 2501: .* at most 500 places"):
        parse_template("{{a}}" * 501)


@pytest.mark.parametrize("character", ["a", "ä", "€", "😀", "\ud800"])
def test_the_output_has_at_most_65_536_bytes(character: str) -> None:
    width = len(character.encode("utf-8", "replace")) if character != "\ud800" else 3
    most = character * (65_536 // width)

    assert len(render("{{ a }}", a=most).encode()) <= 65_536
    with pytest.raises(RenderingFailed, match=TOO_LARGE):
        render("{{ a }}", a=most + character)
    with pytest.raises(RenderingFailed, match=TOO_LARGE):
        render("{{ a }}{{ a }}", a=most)


@pytest.mark.parametrize("template", ["{{ a }}", "{{ a | json }}"])
def test_a_large_value_is_written_up_to_the_limit(template: str) -> None:
    large = ["x" * 1_000] * 1_000_000

    with pytest.raises(RenderingFailed, match=TOO_LARGE):
        render(template, a=large)

    assert steps(lambda: attempt(template, a=large)) < 10_000


@pytest.mark.parametrize("name", ["upper", "lower", "trim"])
def test_a_filter_of_text_reads_at_most_64_kb(name: str) -> None:
    assert render(f"{{{{ a | {name} }}}}", a=" " * 65_536).isspace() == (name != "trim")
    with pytest.raises(RenderingFailed, match=TOO_LARGE):
        render(f"{{{{ a | {name} }}}}", a=" " * 65_537)


def test_filters_read_at_most_a_million_bytes_together() -> None:
    spaces = " " * 50_000

    assert render("{{ a | trim }}" * 20, a=spaces) == ""
    with pytest.raises(RenderingFailed, match="over 1,000,000 bytes of text"):
        render("{{ a | trim }}" * 21, a=spaces)
    with pytest.raises(RenderingFailed, match="over 1,000,000 bytes of text"):
        render("{{ a" + "| lower" * 21 + " }}", a=spaces)


def test_paths_read_at_most_100_000_values_together() -> None:
    nothing: list[object] = [{}] * 10_000

    assert render("{{ a[*].b }}" * 5, a=nothing) == "[]" * 5
    with pytest.raises(RenderingFailed, match=r"over 100,000 values"):
        render("{{ a[*].b }}" * 6, a=nothing)


def test_json_is_written_120_levels_deep() -> None:
    value: object = 0
    for _ in range(120):
        value = [value]

    assert render("{{ a }}", a=value) == "[" * 120 + "0" + "]" * 120
    with pytest.raises(RenderingFailed, match="over 120 levels deep"):
        render("{{ a }}", a=[value])


def test_a_document_that_contains_itself_is_not_followed_for_ever() -> None:
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(RenderingFailed, match="over 120 levels deep"):
        render("{{ a }}", a=endless)


def steps(act: Callable[[], object]) -> int:
    """Return how many lines of `common.templating` are executed."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        if "templating" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def attempt(template: str, **document: object) -> None:
    with suppress(TemplateError):
        render(template, **document)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "x" * n,
        lambda n: "{ " * n,
        lambda n: "}} " * n,
        lambda n: "{{ a }}" * (n // 8),
        lambda n: "{{ a }" * n,
        lambda n: "{{ a" + " " * n,
        lambda n: "{{" + "x" * n,
        lambda n: "{{ a" + ".b" * n + " }}",
        lambda n: "{{ a" + "[0]" * n + " }}",
        lambda n: '{{ a["' + "\\\\" * n,
        lambda n: "{{ a[" + "1" * n + "] }}",
        lambda n: "{{ a" + "|trim" * n + " }}",
        lambda n: "{{ a | " + "x" * n + " }}",
        lambda n: "{{ a | default(" + "1," * n,
        lambda n: "{{ a | default(" + "[" * n,
        lambda n: '{{ a | default("' + "{{" * n + '") }}',
        lambda n: '{{ a | date("' + "%%" * n + '") }}',
        lambda n: "\n" * n + "{{",
    ],
)
def test_twice_the_template_takes_twice_the_steps(make: Callable[[int], str]) -> None:
    size = 1_000

    once = steps(lambda: attempt(make(size), a="1"))
    twice = steps(lambda: attempt(make(2 * size), a="1"))

    assert twice <= 2 * once + 50


@pytest.mark.parametrize(
    ("template", "make"),
    [
        ("{{ a }}", lambda n: [0] * n),
        ("{{ a }}", lambda n: [{"b": "x"}] * n),
        ("{{ a }}", lambda n: {str(key): [] for key in range(n)}),
        ("{{ a[*].b }}", lambda n: [{"b": "x"}] * n),
        ("{{ a[*][*] | json | json }}", lambda n: [[1, 2]] * n),
        ("{{ a }}{{ a | trim }}", lambda n: "x" * n),
    ],
)
def test_twice_the_document_takes_twice_the_steps(
    template: str, make: Callable[[int], object]
) -> None:
    size = 1_000

    once = steps(lambda: render(template, a=make(size)))
    twice = steps(lambda: render(template, a=make(2 * size)))

    assert twice <= 2 * once + 50
