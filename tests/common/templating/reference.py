"""Paths and templates as slow, plain regular expressions and recursion."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta

SPACE = r"[ \t\r\n\f]*"
NAME = r'[^.\[\]" \t\r\n\f\0|{}()]+'
TEXT = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
STEP = rf"\.{NAME}|\[(?:[0-9]+|-0*[1-9][0-9]*|\*|{TEXT})\]"
PATH = rf"{NAME}(?:{STEP})*"
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
LITERAL = rf"(?:{TEXT}|{NUMBER}|true|false|null|\[{SPACE}\]|\{{{SPACE}\}})"
LITERALS = rf"{SPACE}(?:{LITERAL}{SPACE}(?:,{SPACE}{LITERAL}{SPACE})*)?"
FILTER = (
    rf"\|{SPACE}([^.\[\]\" \t\r\n\f\0|{{}}(),]+){SPACE}(?:\(({LITERALS})\))?{SPACE}"
)
PLACE = rf"\{{\{{{SPACE}({PATH}|{TEXT}){SPACE}((?:{FILTER})*)\}}\}}"

UNSTORABLE = "[\0\ud800-\udfff]"

MISSING = object()
DIRECTIVES = frozenset("YymdHIMSfpAaBbjuGVFTszZ%")

Part = str | tuple[str, list[tuple[str, list[object]]]]


class Invalid(Exception):
    """The template is not valid."""


class Failed(Exception):
    """The document does not fit the template."""


def resolve(template: str, document: object) -> object:
    """Return what `Template.resolve` has to return."""
    parts = parse(template)
    if len(parts) == 1 and isinstance(parts[0], tuple):
        return evaluate(parts[0], document)
    return render(template, document)


def render(template: str, document: object) -> str:
    return "".join(
        part if isinstance(part, str) else as_text(evaluate(part, document))
        for part in parse(template)
    )


def parse(template: str) -> list[Part]:
    if re.search(UNSTORABLE, template):
        raise Invalid
    parts: list[Part] = []
    while template:
        if not template.startswith("{{"):
            parts.append(template[0])
            template = template[1:]
            continue
        place = re.match(PLACE, template)
        if place is None:
            raise Invalid
        if place[1][0] == '"' and re.search(UNSTORABLE, json.loads(place[1])):
            raise Invalid
        parts.append((place[1], [read_filter(*f) for f in filters_of(place[2])]))
        template = template[place.end() :]
    return parts


def filters_of(written: str) -> list[tuple[str, str]]:
    return re.findall(FILTER, written)


def read_filter(name: str, written: str) -> tuple[str, list[object]]:
    values = [json.loads(literal) for literal in re.findall(LITERAL, written)]
    if any(isinstance(v, float) and math.isinf(v) for v in values):
        raise Invalid
    if any(isinstance(v, str) and re.search(UNSTORABLE, v) for v in values):
        raise Invalid
    texts = [v for v in values if isinstance(v, str)]
    match name, len(values):
        case "default", 1:
            pass
        case (("json" | "upper" | "lower" | "trim" | "date"), 0):
            pass
        case "date", 1 if texts:
            if set(re.findall("%(.?)", texts[0], re.DOTALL)) - DIRECTIVES:
                raise Invalid
        case _:
            raise Invalid
    return name, values


def evaluate(place: tuple[str, list[tuple[str, list[object]]]], doc: object) -> object:
    source, filters = place
    value = json.loads(source) if source.startswith('"') else find(source, doc)
    for name, values in filters:
        value = apply(name, values, value)
    if value is MISSING:
        raise Failed
    return value


def find(path: str, document: object) -> object:
    steps = re.findall(rf"^{NAME}|{STEP}", path)
    if "[*]" not in steps:
        return next(iter(walk(document, steps)), MISSING)
    first = steps.index("[*]")
    for value in walk(document, steps[:first]):
        if isinstance(value, list):
            return walk(value, steps[first:])
    return MISSING


def walk(value: object, steps: list[str]) -> list[object]:
    if not steps:
        return [value]
    step, *rest = steps
    if step == "[*]":
        items = value if isinstance(value, list) else []
        return [found for item in items for found in walk(item, rest)]
    inner = step.removeprefix("[").removesuffix("]") if step[0] == "[" else step
    key = json.loads(inner) if inner[0] == '"' else inner.removeprefix(".")
    if isinstance(value, list) and (re.fullmatch("[0-9]+", key) or (step[:2] == "[-")):
        return [v for v in value[int(key) :][:1] if int(key) >= -len(value)] and walk(
            value[int(key)], rest
        )
    if isinstance(value, dict) and key in value and step[:2] != "[-":
        return walk(value[key], rest)
    return []


def apply(name: str, values: list[object], value: object) -> object:
    if name == "default":
        return values[0] if value is MISSING or value is None else value
    if value is MISSING or (value is None and name != "json"):
        return value
    if name == "json":
        return as_json(value)
    if name == "date":
        return format_date(values, read_date(value))
    if isinstance(value, list | dict):
        raise Failed
    text = as_text(value)
    return {"upper": text.upper(), "lower": text.lower(), "trim": text.strip()}[name]


def read_date(value: object) -> datetime:
    is_number_text = isinstance(value, str) and re.fullmatch(
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value
    )
    try:
        if isinstance(value, str) and is_number_text and 8 < len(value) <= 64:
            value = float(value)
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            return read if read.tzinfo else read.replace(tzinfo=UTC)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Failed
        seconds = value if abs(value) < 10**11 else value / 1000
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise Failed from None


def format_date(values: list[object], at: datetime) -> str:
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise Failed from None
    if not values:
        return at.isoformat().replace("+00:00", "Z")

    def directive(found: re.Match[str]) -> str:
        if found[1] in "YG":
            return f"{int(at.strftime(found[0])):04}"
        if found[1] == "F":
            return at.date().isoformat()
        if found[1] == "s":
            return str(math.floor(at.timestamp()))
        return at.strftime(found[0])

    return re.sub("%(.)", directive, str(values[0]), flags=re.DOTALL)


def as_text(value: object) -> str:
    return clean(value) if isinstance(value, str) else as_json(value)


def as_json(value: object) -> str:
    try:
        return json.dumps(
            clean_all(value),
            ensure_ascii=False,
            separators=(",", ":"),
            allow_nan=False,
        )
    except ValueError:
        raise Failed from None


def clean_all(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_all(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean_all(item) for key, item in value.items()}
    return value


def clean(text: str) -> str:
    def join(pair: re.Match[str]) -> str:
        high, low = map(ord, pair[0])
        return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)

    joined = re.sub("[\ud800-\udbff][\udc00-\udfff]", join, text)
    return re.sub(UNSTORABLE, "\ufffd", joined)
