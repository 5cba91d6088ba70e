"""What a sender is answered, as data: texts and JSON with places to fill in.

`{query:hub.challenge}`, `{header:X-Id}` and `{body:/challenge}` stand for what the
request holds there; `{hmac_sha256_hex:body:/plainToken}` for the keyed hash of that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from senders.definitions.sources import Source, load_source

_PLACEHOLDER = re.compile(
    r"\{(?:hmac_sha256_(?P<hmac>hex|base64):)?"
    r"(?P<kind>header|query|body):(?P<name>[^{}]+)\}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """What the request holds; with `hmac` (`hex`, `base64`), its HMAC-SHA256.

    The key is the endpoint's secret.
    """

    source: Source
    hmac: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTemplate:
    """Texts and placeholders in turn. A lone placeholder keeps its value's type."""

    parts: tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer; `body` is JSON with templates as its texts, a text or None.

    XML holds nothing that the request brought: it could become a page.
    """

    status: int = 200
    headers: tuple[tuple[str, TextTemplate], ...] = ()
    body: Any = None
    is_json: bool = False
    is_xml: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Lets an endpoint's `config["reply"]` be the answer, over these defaults."""

    defaults: Any


def load_answer(data: Mapping[str, Any]) -> Answer:
    headers = tuple(
        (name, parse_text(text)) for name, text in data.get("headers", {}).items()
    )
    is_json = "json" in data
    body = parse_json_template(data["json"]) if is_json else _load_text(data)
    return Answer(
        status=data.get("status", 200),
        headers=headers,
        body=body,
        is_json=is_json,
        is_xml="content_type" in data,
    )


def load_reply(data: Mapping[str, Any]) -> Reply:
    return Reply(defaults=parse_json_template(data.get("defaults", {})))


def parse_text(text: str) -> TextTemplate:
    parts: list[str | Placeholder] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        parts += [text[end : match.start()]] if match.start() > end else []
        parts.append(_placeholder(match))
        end = match.end()
    parts += [text[end:]] if end < len(text) else []
    return TextTemplate(parts=tuple(parts))


def parse_json_template(value: Any) -> Any:
    """Replace the texts of a JSON value by their templates."""
    if isinstance(value, str):
        return parse_text(value)
    if isinstance(value, dict):
        return {name: parse_json_template(item) for name, item in value.items()}
    if isinstance(value, list):
        return [parse_json_template(item) for item in value]
    return value


def _load_text(data: Mapping[str, Any]) -> TextTemplate | None:
    return parse_text(data["text"]) if "text" in data else None


def _placeholder(match: re.Match[str]) -> Placeholder:
    source = load_source({match["kind"]: match["name"]})
    return Placeholder(source=source, hmac=match["hmac"] or "")
