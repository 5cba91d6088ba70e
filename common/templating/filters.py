from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from common.templating.dates import Format, compile_format, read_instant, rfc_3339
from common.templating.rendering import Output, Rendering
from common.values import MISSING, kind_of, unknown_name

Filter = Callable[[object, Rendering], object]
"""Returns another value for a value. Missing values and nulls pass all but `default`;
`json` writes null."""

Builder = Callable[[Sequence[object]], Filter]


def build_filter(name: str, arguments: Sequence[object]) -> Filter:
    """Return the filter of this name; raise ValueError if it does not exist so."""
    builder = FILTERS.get(name)
    if builder is None:
        raise ValueError(unknown_name("filter", name, FILTERS))
    return builder(arguments)


def _build_default(arguments: Sequence[object]) -> Filter:
    if len(arguments) != 1:
        raise ValueError('default needs one value, as in default("none")')
    [instead] = arguments

    def apply_default(value: object, rendering: Rendering) -> object:
        if value is not MISSING and value is not None:
            return value
        # Each caller gets another list or object.
        return instead.copy() if isinstance(instead, list | dict) else instead

    return apply_default


def _build_json(arguments: Sequence[object]) -> Filter:
    if arguments:
        raise ValueError("json takes no value")
    return _write_json


def _write_json(value: object, rendering: Rendering) -> object:
    if value is MISSING:
        return MISSING
    output = Output(rendering)
    output.add_json(value)
    rendering.count_bytes(output.size)
    return output.text()


def _build_text_filter(name: str, change: Callable[[str], str]) -> Builder:
    def apply(value: object, rendering: Rendering) -> object:
        if value is MISSING or value is None:
            return value
        if isinstance(value, list | Mapping):
            raise rendering.failure(f"{name} needs text, not {kind_of(value)}")
        output = Output(rendering)
        output.add_value(value)
        rendering.count_bytes(output.size)
        return change(output.text())

    def build(arguments: Sequence[object]) -> Filter:
        if arguments:
            raise ValueError(f"{name} takes no value")
        return apply

    return build


def _build_date(arguments: Sequence[object]) -> Filter:
    format_instant: Format = rfc_3339
    if arguments:
        written = arguments[0]
        if len(arguments) > 1 or not isinstance(written, str):
            raise ValueError('date takes one text, as in date("%Y-%m-%d")')
        format_instant = compile_format(written)

    def apply_date(value: object, rendering: Rendering) -> object:
        if value is MISSING or value is None:
            return value
        instant = read_instant(value)
        if instant is None:
            raise rendering.failure(
                "date needs an ISO 8601 date or time, or seconds since 1970; the value "
                f"is {kind_of(value)} that is neither"
            )
        return format_instant(instant)

    return apply_date


FILTERS: Mapping[str, Builder] = {
    "default": _build_default,
    "json": _build_json,
    "upper": _build_text_filter("upper", str.upper),
    "lower": _build_text_filter("lower", str.lower),
    "trim": _build_text_filter("trim", str.strip),
    "date": _build_date,
}
