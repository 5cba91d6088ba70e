"""Fills the answers that a type describes with what a request holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from common.api.errors import PROBLEM_JSON, problem_body, problem_of, request_id_of
from common.errors import TickhookError
from common.fields import dump_json
from senders.definitions.answers import Answer, Placeholder, TextTemplate
from senders.parsing import Finder

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
XML = "text/xml; charset=utf-8"
MAX_FILLED_CHARACTERS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """What placeholders stand for in one request; the first secret keys the hashes."""

    request: Finder
    secrets: Sequence[str] = ()

    def value(self, place: Placeholder) -> object:
        """Return the value with its type; None if the request has none there."""
        value = self.request.value(place.source)
        if isinstance(value, str):
            value = value[:MAX_FILLED_CHARACTERS]
        if place.hmac:
            return self._digest("" if value is None else str(value), place.hmac)
        return value

    def text(self, template: TextTemplate) -> str:
        return "".join(
            part if isinstance(part, str) else self._as_text(part)
            for part in template.parts
        )

    def json(self, template: Any) -> Any:
        """Fill a JSON template. A text that is one placeholder keeps its type."""
        match template:
            case TextTemplate(parts=(Placeholder() as only,)):
                return self.value(only)
            case TextTemplate():
                return self.text(template)
            case dict():
                return {name: self.json(item) for name, item in template.items()}
            case list():
                return [self.json(item) for item in template]
        return template

    def _as_text(self, place: Placeholder) -> str:
        value = self.value(place)
        return "" if value is None else str(value)

    def _digest(self, text: str, encoding: str) -> str:
        key = self.secrets[0] if self.secrets else ""
        data = text.encode("utf-8", "surrogatepass")
        digest = hmac.digest(key.encode(), data, hashlib.sha256)
        return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def render(answer: Answer, fill: Filler) -> HttpResponse:
    """Return the answer as HTTP; what a stranger sent never becomes a page."""
    if answer.is_json:
        response = json_response(fill.json(answer.body), status=answer.status)
    else:
        text = "" if answer.body is None else fill.text(answer.body)
        content = text.encode("utf-8", "replace")
        content_type = XML if answer.is_xml else TEXT
        response = HttpResponse(
            content, status=answer.status, content_type=content_type
        )
    for name, template in answer.headers:
        response[name] = _header_text(fill.text(template))
    response["X-Content-Type-Options"] = "nosniff"
    return response


def answer_refusal(error: TickhookError, request: HttpRequest) -> HttpResponse:
    """Return the problem document of a refusal. A stranger causes it: it is cheap."""
    problem = problem_of(error)
    request_id = request_id_of(request.META.get("HTTP_X_REQUEST_ID", ""))
    body = problem_body(problem, request_id=request_id) | {
        "instance": request.path,
        "success": False,
        "error": problem.detail,
    }
    headers = {**problem.headers, **getattr(error, "headers", {})}
    return HttpResponse(
        dump_json(body),
        status=problem.status,
        content_type=PROBLEM_JSON,
        headers=headers,
    )


def json_response(value: object, *, status: int = 200) -> HttpResponse:
    return HttpResponse(dump_json(value), status=status, content_type=JSON)


def _header_text(text: str) -> str:
    """Leave out what can't stand in a header, line ends first of all."""
    return "".join(c for c in text if " " <= c <= "~")
