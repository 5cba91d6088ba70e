from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from common.templating.errors import InvalidTemplate
from common.templating.filters import Filter, build_filter
from common.templating.paths import NAME_ENDS, Path, read_path
from common.templating.reader import SPACE, Reader, read_text
from common.templating.rendering import Output, Rendering
from common.values import MISSING, quoted

MAX_TEMPLATE_LENGTH = 16_384
MAX_PLACES = 500

# In a template, a name without quotes also ends before what follows a path.
_NAME_ENDS = NAME_ENDS | frozenset("|{}()")
_FILTER_NAME_ENDS = _NAME_ENDS | SPACE | frozenset(",")

_HOW_TO_WRITE_BRACES = 'for two braces as text write {{ "{{" }}'


@dataclass(frozen=True, slots=True)
class Place:
    """What stands between `{{` and `}}`: a path or a text, and filters."""

    at: int
    source: Path | str
    filters: tuple[Filter, ...]

    def evaluate(self, document: Mapping[str, object], rendering: Rendering) -> object:
        rendering.at = self.at
        value: object = self.source
        if isinstance(self.source, Path):
            value = self.source.find(document, rendering)
        for apply in self.filters:
            value = apply(value, rendering)
        if value is MISSING and isinstance(self.source, Path):
            raise rendering.failure(
                f"There is no value at {quoted(self.source.text)}; "
                'if this is allowed, add a value for it, as in | default("")'
            )
        return value


@dataclass(frozen=True, slots=True)
class Template:
    text: str
    parts: tuple[str | Place, ...] = field(compare=False, repr=False)

    def render(self, document: Mapping[str, object]) -> str:
        """Return text of at most 64 KB; raise RenderingFailed."""
        rendering = Rendering(self.text)
        output = Output(rendering)
        for part in self.parts:
            if isinstance(part, str):
                output.add(part)
            else:
                output.add_value(part.evaluate(document, rendering))
        return output.text()

    def resolve(self, document: Mapping[str, object]) -> object:
        """Return the value of a template that is a single place, else `render`'s text.

        The value keeps its type and can be larger than 64 KB. It belongs to the
        document: the caller does not change it. Raise RenderingFailed.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], Place):
            return self.parts[0].evaluate(document, Rendering(self.text))
        return self.render(document)


def parse_template(text: str, *, roots: Collection[str] | None = None) -> Template:
    """Parse a template; raise InvalidTemplate. With `roots`, paths begin with one."""
    reader = read_text(text, kind="template", limit=MAX_TEMPLATE_LENGTH)
    parts: list[str | Place] = []
    places = 0
    while reader.at < len(text):
        begin = text.find("{{", reader.at)
        end = len(text) if begin < 0 else begin
        if end > reader.at:
            parts.append(text[reader.at : end])
        reader.at = end
        if begin >= 0:
            places += 1
            if places > MAX_PLACES:
                detail = f"A template can have at most {MAX_PLACES} places"
                raise reader.error(f"{detail} with {{{{ }}}}")
            parts.append(_read_place(reader, roots))
    return Template(text, tuple(parts))


def _read_place(reader: Reader, roots: Collection[str] | None) -> Place:
    begin = reader.at
    reader.take("{{")
    reader.skip_space()
    if reader.is_at("}}"):
        detail = "The braces are empty: write a path such as body.id between them; "
        raise reader.error(detail + _HOW_TO_WRITE_BRACES, at=begin)
    at = reader.at
    source: Path | str
    if reader.is_at('"'):
        source = str(reader.take_literal())
    elif at == len(reader.text):
        raise _unclosed(reader, begin)
    else:
        source = read_path(reader, _NAME_ENDS, roots)
    filters = []
    reader.skip_space()
    while reader.take("|"):
        filters.append(_read_filter(reader, begin))
        reader.skip_space()
    if not reader.take("}}"):
        if reader.at == len(reader.text):
            raise _unclosed(reader, begin)
        detail = "Here the braces end with }}, or a filter follows, as in | upper; "
        raise reader.error(detail + 'other signs need quotes, as in body["a b"]')
    return Place(at, source, tuple(filters))


def _read_filter(reader: Reader, place: int) -> Filter:
    reader.skip_space()
    begin = reader.at
    name = reader.take_until(_FILTER_NAME_ENDS)
    if not name and begin == len(reader.text):
        raise _unclosed(reader, place)
    if not name:
        raise reader.error("A filter must follow the |, such as upper")
    reader.skip_space()
    arguments = _read_arguments(reader) if reader.take("(") else []
    try:
        return build_filter(name, arguments)
    except ValueError as error:
        raise reader.error(str(error), at=begin) from None


def _read_arguments(reader: Reader) -> list[object]:
    """Take the values of a filter, and the `)` behind them."""
    begin = reader.at - 1
    arguments: list[object] = []
    reader.skip_space()
    while not reader.take(")"):
        if arguments and not reader.take(","):
            raise reader.error("Close the values of the filter with )", at=begin)
        reader.skip_space()
        arguments.append(reader.take_literal())
        reader.skip_space()
    return arguments


def _unclosed(reader: Reader, place: int) -> InvalidTemplate:
    detail = "These braces are not closed: add }}; "
    return reader.error(detail + _HOW_TO_WRITE_BRACES, at=place)
