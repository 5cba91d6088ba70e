"""Answers what was accepted, each type as its sender expects."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from django.http import HttpResponse

from senders.definitions.answers import Answer
from webhooks.receiver.answers import JSON, Filler, json_response, render
from webhooks.receiver.handshakes import fits
from webhooks.receiver.record import Recorded
from webhooks.receiver.request import Delivery
from webhooks.receiver.waiting import (
    Executions,
    wait_for_executions,
    wanted_seconds,
)
from webhooks.types.validation import MAX_WAIT_SECONDS


def answer_accepted(delivery: Delivery, recorded: Recorded) -> HttpResponse:
    """Answer a delivery that is an event now, or was one before.

    The endpoint's own `reply` goes before the type's answer, that before ours.
    """
    definition = delivery.definition
    if definition.reply is not None and (own := delivery.config.get("reply")):
        return _reply(delivery, own)
    if (answer := _answer_of_type(delivery)) is not None:
        return render(answer, _filler(delivery))
    if definition.response_format == "empty":
        return HttpResponse(status=200, content_type="text/plain")
    return _our_answer(delivery, recorded)


def answer_batch(recorded: Sequence[Recorded]) -> HttpResponse:
    """Answer a delivery of several events, with what became of each."""
    events = [{"status": r.status, "event_id": str(r.event_id)} for r in recorded]
    body = {"success": True, "status": "accepted", "events": events}
    return HttpResponse(orjson.dumps(body), content_type=JSON)


def _reply(delivery: Delivery, own: object) -> HttpResponse:
    """Return the reply that the endpoint's config holds, over the type's defaults."""
    assert delivery.definition.reply is not None  # noqa: S101 - the caller's condition
    defaults = _filler(delivery).json(delivery.definition.reply.defaults)
    filled = {name: value for name, value in defaults.items() if value is not None}
    return json_response({**filled, **own} if isinstance(own, dict) else filled)


def _answer_of_type(delivery: Delivery) -> Answer | None:
    """Return the answer that the type has for this delivery, None for ours."""
    definition = delivery.definition
    fitting = (
        one.answer for one in definition.responses if fits(one.when, delivery.finder)
    )
    return next(fitting, definition.response)


def _our_answer(delivery: Delivery, recorded: Recorded) -> HttpResponse:
    waited, executions = _follow(delivery, recorded)
    body: dict[str, object] = {
        "success": True,
        "status": recorded.status,
        "event_id": str(recorded.event_id),
        "executions": executions or [],
    }
    response = HttpResponse(orjson.dumps(body), content_type=JSON)
    if executions is not None:
        response["Preference-Applied"] = f"wait={waited}"
    return response


def _follow(delivery: Delivery, recorded: Recorded) -> tuple[int, Executions | None]:
    """Wait as long as the sender prefers and the endpoint's config lets it."""
    wanted = wanted_seconds(delivery.headers.get("prefer", ""))
    if not wanted:
        return 0, None
    allowed = delivery.config.get("max_wait_seconds")
    longest = min(allowed, MAX_WAIT_SECONDS) if isinstance(allowed, int) else 0
    seconds = min(wanted, longest)
    return seconds, wait_for_executions(recorded.event_id, seconds=seconds)


def _filler(delivery: Delivery) -> Filler:
    return Filler(request=delivery.finder, secrets=delivery.secrets)
