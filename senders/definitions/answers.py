"""How requests of a sender are answered, as data.

Texts may hold placeholders: `{query:hub.challenge}`, `{header:X-Id}` and
`{body:/challenge}` stand for that value of the request;
`{hmac_sha256_hex:body:/plainToken}` for its keyed hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from senders.definitions.sources import Source, load_source, load_sources, reads_body

_PLACEHOLDER = re.compile(
    r"\{(?:hmac_sha256_(?P<hmac>hex|base64):)?"
    r"(?P<kind>header|query|body):(?P<name>[^{}]+)\}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A value of the request; with `hmac` (`hex` or `base64`), its HMAC-SHA256.

    The key is the endpoint's secret.
    """

    source: Source
    hmac: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTemplate:
    """A sequence of texts and placeholders.

    If it is a single placeholder, the value keeps its JSON type.
    """

    parts: tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer. `body` is JSON whose texts are templates, a template or None.

    An XML body contains no placeholders: a browser could render what a request put
    into it as a page.
    """

    status: int = 200
    headers: tuple[tuple[str, TextTemplate], ...] = ()
    body: Any = None
    is_json: bool = False
    is_xml: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer with the endpoint's `config["reply"]`, merged over these defaults.

    The fields in `extracted`, of those that the type extracts, are defaults as well.
    Without one of them there is no reply, as the sender could not use it.
    """

    defaults: Any
    extracted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedValue:
    """A source of the request that must hold exactly this value."""

    source: Source
    value: str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCriteria:
    """A request matches if it holds all expected values and all present sources."""

    expected: tuple[ExpectedValue, ...] = ()
    present: tuple[Source, ...] = ()

    @property
    def needs_body(self) -> bool:
        """Whether the body must be parsed to check the criteria."""
        sources = (*self.present, *(one.source for one in self.expected))
        return any(map(reads_body, sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMatch:
    """A source that must hold the value of a key of the endpoint's config.

    An optional match is only checked if the config has the key.
    """

    source: Source
    key: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A request by which a sender checks that the endpoint exists.

    It is answered and counted, but never stored. `is_signed` says whether the sender
    signs it like a delivery; `method` is accepted in addition to the methods that the
    endpoint allows. With `is_kept` a few of the requests are stored for people to
    read, among the endpoint's rejections: they contain a token that the sender shows
    nowhere else.
    """

    method: str
    answer: Answer
    when: RequestCriteria = RequestCriteria()
    is_signed: bool = True
    is_kept: bool = False
    matches: tuple[ConfigMatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer to accepted deliveries that match the criteria."""

    when: RequestCriteria
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A delivery that asks the receiver to GET a URL before the sender sends more.

    A worker requests the URL if its whole host matches the pattern `host` (RE2).
    """

    expected: tuple[ExpectedValue, ...]
    url: Source
    host: str


def load_answer(data: Mapping[str, Any]) -> Answer:
    body: Any = parse_text(data["text"]) if "text" in data else None
    return Answer(
        status=data.get("status", 200),
        headers=tuple(
            (name, parse_text(text)) for name, text in data.get("headers", {}).items()
        ),
        body=parse_json_template(data["json"]) if "json" in data else body,
        is_json="json" in data,
        is_xml="content_type" in data,
    )


def load_reply(data: Mapping[str, Any]) -> Reply:
    return Reply(
        defaults=parse_json_template(data.get("defaults", {})),
        extracted=tuple(data.get("extracted", ())),
    )


def load_handshake(data: Mapping[str, Any]) -> Handshake:
    return Handshake(
        method=data["when"]["method"],
        answer=load_answer(data["answer"]),
        when=_load_criteria(data["when"]),
        is_signed=data.get("signed", True),
        is_kept=data.get("kept", False),
        matches=load_matches(data.get("matches_config", [])),
    )


def load_response(data: Mapping[str, Any]) -> Response:
    return Response(
        when=_load_criteria(data["when"]), answer=load_answer(data["answer"])
    )


def load_confirmation(data: Mapping[str, Any]) -> Confirmation:
    return Confirmation(
        expected=_load_expected(data["equals"]),
        url=load_source(data["url"]),
        host=data["host"],
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


def parse_text(text: str) -> TextTemplate:
    parts: list[str | Placeholder] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        parts += [text[end : match.start()]] if match.start() > end else []
        source = load_source({match["kind"]: match["name"]})
        parts.append(Placeholder(source=source, hmac=match["hmac"] or ""))
        end = match.end()
    parts += [text[end:]] if end < len(text) else []
    return TextTemplate(parts=tuple(parts))


def parse_json_template(value: Any) -> Any:
    """Return the JSON value with each text replaced by its template."""
    if isinstance(value, str):
        return parse_text(value)
    if isinstance(value, dict):
        return {name: parse_json_template(item) for name, item in value.items()}
    if isinstance(value, list):
        return [parse_json_template(item) for item in value]
    return value


def _load_criteria(when: Mapping[str, Any]) -> RequestCriteria:
    return RequestCriteria(
        expected=_load_expected(when.get("equals", [])),
        present=load_sources(when.get("present", [])),
    )


def _load_expected(items: list[Mapping[str, Any]]) -> tuple[ExpectedValue, ...]:
    return tuple(
        ExpectedValue(source=load_source(item), value=item["is"]) for item in items
    )
