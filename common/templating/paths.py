from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from common.templating.reader import Reader, read_text
from common.templating.rendering import Rendering
from common.values import MISSING, unknown_name

MAX_PATH_LENGTH = 500  # so at most 250 steps

NAME_ENDS = frozenset('.[]" \t\r\n\f\0')

_OBJECTS = (dict, Mapping)  # dict first: isinstance() is slow for an ABC
_CLOSES_BRACKET = frozenset("]")


@dataclass(frozen=True, slots=True)
class Step:
    """The key to look up in an object, the index to look up in a list.

    A key of digits is an index, too. A negative index counts from the end and is no
    key. A step without both is `[*]`.
    """

    key: str | None
    index: int | None

    def look_up(self, value: object) -> object:
        if isinstance(value, list):
            index = self.index
            if index is None or not -len(value) <= index < len(value):
                return MISSING
            return value[index]
        if isinstance(value, _OBJECTS):
            return MISSING if self.key is None else value.get(self.key, MISSING)
        return MISSING


EACH: Final = Step(key=None, index=None)


@dataclass(frozen=True, slots=True)
class Path:
    text: str = field(compare=False)
    steps: tuple[Step, ...]

    def find(
        self, document: Mapping[str, object], rendering: Rendering | None = None
    ) -> object:
        """Return the value, or MISSING; for a path with `[*]`, the list of values.

        Raise RenderingFailed if `[*]` reads more than 100,000 values, together with the
        other paths of the same rendering.
        """
        current: object = document
        for number, step in enumerate(self.steps):
            if step == EACH:
                rest = self.steps[number:]
                return _find_each(current, rest, rendering or Rendering(self.text))
            current = step.look_up(current)
            if current is MISSING:
                return MISSING
        return current


def _find_each(value: object, steps: tuple[Step, ...], rendering: Rendering) -> object:
    """Return all values that `steps`, which begin with `[*]`, lead to."""
    if not isinstance(value, list):
        return MISSING
    found: list[object] = [value]
    for step in steps:
        if step == EACH:
            lists = [each for each in found if isinstance(each, list)]
            rendering.count_values(sum(map(len, lists)))
            found = [item for each in lists for item in each]
        else:
            rendering.count_values(len(found))
            looked_up = map(step.look_up, found)
            found = [each for each in looked_up if each is not MISSING]
    return found


def parse_path(text: str, *, roots: Collection[str] | None = None) -> Path:
    """Parse a path; raise InvalidTemplate. With `roots`, it must begin with one."""
    reader = read_text(text, kind="path", limit=MAX_PATH_LENGTH)
    path = read_path(reader, NAME_ENDS, roots)
    if reader.at < len(text):
        raise reader.error("The path is not valid here; " + _NAMES_IN_QUOTES)
    return path


_NAMES_IN_QUOTES = 'write a name with spaces, dots or signs as in body["a.b"]'


def read_path(
    reader: Reader, name_ends: frozenset[str], roots: Collection[str] | None
) -> Path:
    """Take a path; names without quotes end before `name_ends`."""
    begin = reader.at
    root = reader.take_until(name_ends)
    if not root:
        raise reader.error("A path begins with a name, such as body.id")
    if roots is not None and root not in roots:
        raise reader.error(unknown_name("name", root, roots), at=begin)
    steps = [_step_to(root)]
    while True:
        if reader.take("."):
            name = reader.take_until(name_ends)
            if not name:
                raise reader.error("A name must follow the dot; " + _NAMES_IN_QUOTES)
            steps.append(_step_to(name))
        elif reader.take("["):
            steps.append(_read_brackets(reader))
        else:
            break
    if reader.at - begin > MAX_PATH_LENGTH:
        detail = f"A path can have at most {MAX_PATH_LENGTH} characters"
        raise reader.error(detail, at=begin)
    return Path(reader.text[begin : reader.at], _normalize(steps))


def _read_brackets(reader: Reader) -> Step:
    begin = reader.at - 1
    if reader.is_at('"'):
        step: Step | None = _step_to(reader.take_quoted())
    else:
        step = _read_index(reader.take_until(_CLOSES_BRACKET))
    if step is None:
        detail = 'Brackets hold an index as [0] or [-1], [*], or a key as ["a.b"]'
        raise reader.error(detail, at=begin)
    if not reader.take("]"):
        raise reader.error("Close the bracket with ]", at=begin)
    return step


def _read_index(written: str) -> Step | None:
    if written == "*":
        return EACH
    if _is_index(written):
        return _step_to(written)
    if written[:1] == "-" and _is_index(written[1:]) and int(written[1:]):
        return Step(key=None, index=int(written))
    return None


def _is_index(text: str) -> bool:
    # int() raises for thousands of digits.
    return text.isascii() and text.isdigit() and len(text) <= MAX_PATH_LENGTH


def _step_to(key: str) -> Step:
    return Step(key=key, index=int(key) if _is_index(key) else None)


def _normalize(steps: list[Step]) -> tuple[Step, ...]:
    """Read `request.query_params` as `request.query`, and header names in any case."""
    keys = [step.key for step in steps]
    if keys[:2] == ["request", "query_params"]:
        steps[1] = _step_to("query")
    at = 1 if keys[0] == "request" else 0
    if keys[at : at + 1] == ["headers"]:
        steps[at + 1 :] = [
            step if step.key is None else _step_to(step.key.lower())
            for step in steps[at + 1 :]
        ]
    return tuple(steps)
