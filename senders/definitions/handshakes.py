from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from senders.definitions.answers import Answer, load_answer
from senders.definitions.sources import (
    Source,
    load_source,
    load_sources,
    reads_body,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A value of the request that must be this very one."""

    source: Source
    value: str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a request must hold: these very values, and something in these places."""

    expected: tuple[Expected, ...] = ()
    present: tuple[Source, ...] = ()

    @property
    def read_body(self) -> bool:
        sources = (*self.present, *(one.source for one in self.expected))
        return any(map(reads_body, sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMatch:
    """A value of the request that must be the one in the endpoint's config.

    An optional one counts only where the config has it.
    """

    source: Source
    key: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A request by which a sender only asks whether the endpoint is there.

    It is answered and counted, never stored. `is_signed` says whether the sender signs
    it as it signs deliveries; `method` counts beside the endpoint's allowed ones.
    """

    method: str
    answer: Answer
    when: Conditions = Conditions()
    is_signed: bool = True
    matches: tuple[ConfigMatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer to accepted deliveries that hold something."""

    when: Conditions
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A delivery by which a sender asks for a GET of a URL before it sends more.

    A worker asks it, if the URL's host, taken whole, fits the pattern (RE2).
    """

    expected: tuple[Expected, ...]
    url: Source
    host: str


def load_confirmation(data: Mapping[str, Any]) -> Confirmation:
    return Confirmation(
        expected=_load_expected(data["equals"]),
        url=load_source(data["url"]),
        host=data["host"],
    )


def load_handshake(data: Mapping[str, Any]) -> Handshake:
    return Handshake(
        method=data["when"]["method"],
        answer=load_answer(data["answer"]),
        when=_load_conditions(data["when"]),
        is_signed=data.get("signed", True),
        matches=load_matches(data.get("matches_config", [])),
    )


def load_response(data: Mapping[str, Any]) -> Response:
    return Response(
        when=_load_conditions(data["when"]), answer=load_answer(data["answer"])
    )


def load_matches(items: list[Mapping[str, Any]]) -> tuple[ConfigMatch, ...]:
    return tuple(
        ConfigMatch(
            source=load_source(item),
            key=item["config"],
            is_optional=item.get("optional", False),
        )
        for item in items
    )


def _load_conditions(when: Mapping[str, Any]) -> Conditions:
    return Conditions(
        expected=_load_expected(when.get("equals", [])),
        present=load_sources(when.get("present", [])),
    )


def _load_expected(items: list[Mapping[str, Any]]) -> tuple[Expected, ...]:
    return tuple(Expected(source=load_source(item), value=item["is"]) for item in items)
