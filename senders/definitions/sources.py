"""Where in a request a value is found, as data that `senders.parsing` interprets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSource:
    """The value of a header; the name is not case-sensitive."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySource:
    """The first value of a query parameter."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySource:
    """The value at a JSON Pointer (RFC 6901) of the parsed body."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantSource:
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstKeySource:
    """The first of these names that is a key of the body, if the body is an object."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyHashSource:
    """The hash of the body and the time window in which it arrived.

    For senders without an id: equal bodies within a window are one delivery. Windows
    start at multiples of their length since the epoch.
    """

    window_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedSource:
    """The texts of several sources, joined by line feeds; nothing if one is missing.

    In an event type the line feed becomes a dot.
    """

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """The name that `names` gives the value of a source; nothing if it has no name."""

    source: Source
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAfterSource:
    """The text of a source without a beginning; nothing if it begins otherwise."""

    source: Source
    prefix: str


Source = (
    HeaderSource
    | QuerySource
    | BodySource
    | ConstantSource
    | FirstKeySource
    | BodyHashSource
    | JoinedSource
    | NamedSource
    | TextAfterSource
)


def reads_body(source: Source) -> bool:
    """Return whether the body must be parsed to find the value."""
    match source:
        case BodySource() | FirstKeySource():
            return True
        case JoinedSource():
            return any(map(reads_body, source.sources))
        case NamedSource() | TextAfterSource():
            return reads_body(source.source)
    return False


def parameters_of(source: Source) -> Iterator[str]:
    """Return the query parameters that a source reads, in lower case."""
    match source:
        case QuerySource():
            yield source.name.lower()
        case JoinedSource():
            for part in source.sources:
                yield from parameters_of(part)
        case NamedSource():
            yield from parameters_of(source.source)


def possible_texts(source: Source) -> frozenset[str] | None:
    """Return all texts that a source can have; None if the request decides."""
    match source:
        case ConstantSource():
            return frozenset({source.value})
        case FirstKeySource():
            return frozenset(source.names)
        case NamedSource():
            return frozenset(name for _, name in source.names)
    return None


def load_sources(items: Iterable[Mapping[str, Any]]) -> tuple[Source, ...]:
    return tuple(load_source(item) for item in items)


def load_source(item: Mapping[str, Any]) -> Source:
    """Return the source that an object such as `{"header": "X-Id"}` describes.

    The object must match the schema. Its other members are for the caller.
    """
    kind = next(name for name in item if name in _LOADERS)
    source: Source = _LOADERS[kind](item[kind])
    if "names" in item:
        return NamedSource(source=source, names=tuple(item["names"].items()))
    if "after" in item:
        return TextAfterSource(source=source, prefix=item["after"])
    return source


def parse_pointer(pointer: str) -> tuple[str, ...]:
    """Return the tokens of a JSON Pointer (RFC 6901)."""
    tokens = pointer.split("/")[1:]
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


_LOADERS: Mapping[str, Any] = {
    "header": lambda value: HeaderSource(name=value),
    "query": lambda value: QuerySource(name=value),
    "body": lambda value: BodySource(path=parse_pointer(value)),
    "constant": lambda value: ConstantSource(value=value),
    "first_key": lambda value: FirstKeySource(names=tuple(value)),
    "body_hash": lambda value: BodyHashSource(window_seconds=value["window_seconds"]),
    "join": lambda value: JoinedSource(sources=load_sources(value)),
}
