"""Answers to requests: ours, or those that the webhook type or the endpoint defines."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from common.api.errors import PROBLEM_JSON, problem_body, problem_of, request_id_of
from common.errors import TickhookError
from common.fields import dump_json
from senders.definitions.answers import Answer, Handshake, Placeholder, TextTemplate
from senders.parsing import Finder, extract_fields
from webhooks.endpoints.secrets import live_secrets
from webhooks.receiver.handshakes import fits
from webhooks.receiver.record import Recorded
from webhooks.receiver.request import WebhookRequest
from webhooks.types.validation import MAX_WAIT_SECONDS

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
XML = "text/xml; charset=utf-8"
MAX_FILLED_CHARACTERS = 4000
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.4

Executions = list[dict[str, Any]]


def answer_accepted(request: WebhookRequest, recorded: Recorded) -> HttpResponse:
    """Answer a delivery that is an event now, or was one before.

    The endpoint's own `reply` takes precedence over the type's answer, and that over
    ours.
    """
    definition = request.definition
    if (reply := _reply_to(request)) is not None:
        return _json_response(reply)
    fitting = (
        one.answer for one in definition.responses if fits(one.when, request.finder)
    )
    answer = next(fitting, definition.response)
    if answer is not None:
        return render(answer, _filler(request))
    if definition.response_format == "empty":
        return HttpResponse(status=200, content_type="text/plain")
    return _our_answer(request, recorded)


def _reply_to(request: WebhookRequest) -> dict[str, Any] | None:
    """Return the endpoint's own reply; None if it has none, or a part is missing."""
    definition, own = request.definition, request.config.get("reply")
    reply = definition.reply
    if reply is None or not own:
        return None
    defaults = _filler(request).json(reply.defaults)
    filled = {name: value for name, value in defaults.items() if value is not None}
    if reply.extracted:
        wanted = [one for one in definition.extract if one.name in reply.extracted]
        is_text = request.content.parsed.is_text
        filled |= extract_fields(wanted, request.finder, is_text=is_text).values
    merged = {**filled, **own} if isinstance(own, dict) else filled
    return merged if merged.keys() >= set(reply.extracted) else None


def answer_batch(request: WebhookRequest, recorded: Sequence[Recorded]) -> HttpResponse:
    """Answer a delivery of several events: as the type does, or with their statuses."""
    if (answer := request.definition.response) is not None:
        return render(answer, _filler(request))
    events = [{"status": r.status, "event_id": str(r.event_id)} for r in recorded]
    body = {"success": True, "status": "accepted", "events": events}
    return HttpResponse(orjson.dumps(body), content_type=JSON)


def answer_probe() -> HttpResponse:
    """Answer a GET by which a sender or a person asks whether the webhook exists."""
    body = {"success": True, "status": "ready"}
    return HttpResponse(orjson.dumps(body), content_type=JSON)


def answer_handshake(request: WebhookRequest, handshake: Handshake) -> HttpResponse:
    return render(handshake.answer, _filler(request))


def answer_refusal(error: TickhookError, http: HttpRequest) -> HttpResponse:
    """Return the problem document of a refusal; cheap, as anyone can cause one."""
    problem = problem_of(error)
    request_id = request_id_of(http.META.get("HTTP_X_REQUEST_ID", ""))
    body = problem_body(problem, request_id=request_id) | {
        "instance": http.path,
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


def _our_answer(request: WebhookRequest, recorded: Recorded) -> HttpResponse:
    """Answer with the event, and with its executions if the sender waits for them."""
    body: dict[str, object] = {
        "success": True,
        "status": recorded.status,
        "event_id": str(recorded.event_id),
        "executions": [],
    }
    wanted = preferred_wait_seconds(request.headers.get("prefer", ""))
    allowed = request.config.get("max_wait_seconds")
    longest = min(allowed, MAX_WAIT_SECONDS) if isinstance(allowed, int) else 0
    seconds = min(wanted, longest)
    executions = wait_for_executions(recorded.event_id, seconds=seconds)
    if executions is None:
        return HttpResponse(orjson.dumps(body), content_type=JSON)
    response = HttpResponse(
        orjson.dumps({**body, "executions": executions}), content_type=JSON
    )
    response["Preference-Applied"] = f"wait={seconds}"
    return response


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """The values of placeholders for one request; the first secret keys the hashes."""

    request: Finder
    secrets: Sequence[str] = ()

    def value(self, place: Placeholder) -> object:
        """Return the value with its type; None if the request has none there."""
        value = self.request.value(place.source)
        if isinstance(value, str):
            value = value[:MAX_FILLED_CHARACTERS]
        if not place.hmac:
            return value
        key = self.secrets[0] if self.secrets else ""
        text = "" if value is None else str(value)
        data = text.encode("utf-8", "surrogatepass")
        digest = hmac.digest(key.encode(), data, hashlib.sha256)
        if place.hmac == "hex":
            return digest.hex()
        return base64.b64encode(digest).decode()

    def text(self, template: TextTemplate) -> str:
        values = (
            self.value(part) if isinstance(part, Placeholder) else part
            for part in template.parts
        )
        return "".join("" if value is None else str(value) for value in values)

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


def _filler(request: WebhookRequest) -> Filler:
    return Filler(request=request.finder, secrets=live_secrets(request.endpoint))


def render(answer: Answer, fill: Filler) -> HttpResponse:
    """Return the answer as HTTP; values of a request never become an HTML page."""
    if answer.is_json:
        response = _json_response(fill.json(answer.body), status=answer.status)
    else:
        text = "" if answer.body is None else fill.text(answer.body)
        response = HttpResponse(
            text.encode("utf-8", "replace"),
            status=answer.status,
            content_type=XML if answer.is_xml else TEXT,
        )
    for name, template in answer.headers:
        # A line end would begin another header, so only printable ASCII is kept.
        response[name] = "".join(c for c in fill.text(template) if " " <= c <= "~")
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _json_response(value: object, *, status: int = 200) -> HttpResponse:
    return HttpResponse(dump_json(value), status=status, content_type=JSON)


# `Prefer: wait=N` (RFC 7240): the answer contains the executions of the event. A
# request that waits holds a thread, so at most a quarter of the threads wait; further
# requests are answered at once. Waiting holds no database connection.


def preferred_wait_seconds(prefer: str) -> int:
    """Return the `wait` of the header Prefer; 0 if it is missing or malformed."""
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            is_number = digits.isascii() and digits.isdigit() and len(digits) < 10
            return int(digits) if is_number else 0
    return 0


def wait_for_executions(event_id: UUID, *, seconds: float) -> Executions | None:
    """Return an event's executions once all are decided; None if that takes longer.

    Return None at once if as many requests wait already as may.
    """
    if seconds <= 0 or not _waiting_slots().acquire(blocking=False):
        return None
    try:
        return _poll(event_id, deadline=time.monotonic() + seconds)
    finally:
        _waiting_slots().release()


@cache
def _waiting_slots() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(max(1, settings.TICKHOOK_WEB_THREADS // 4))


def _poll(event_id: UUID, *, deadline: float) -> Executions | None:
    find_executions: Callable[[UUID], Executions | None] = import_string(
        settings.TICKHOOK_FINAL_EXECUTIONS
    )
    pause = FIRST_PAUSE_SECONDS
    while True:
        executions = find_executions(event_id)
        left = deadline - time.monotonic()
        if executions is not None or left <= 0:
            return executions
        connection.close()
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
