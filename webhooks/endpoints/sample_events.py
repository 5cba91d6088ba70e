"""Sends a test event through the door itself, so that its answer is the true one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponseBase
from django.urls import resolve as resolve_url
from django.urls import reverse

from common.errors import Fault, InvalidInput
from common.ids import uuid7
from events.models import Event
from webhooks.endpoints.lifecycle import live_secrets, webhook_url
from webhooks.endpoints.sample_requests import TestRequest, build_request, sample_for
from webhooks.models import DeliveryOutcome, WebhookEndpoint
from webhooks.rejections.fixes import DUPLICATE, how_to_fix
from webhooks.types.definitions import definition_for

TEST_HEADER = "x-tickhook-test"


class EndpointNotFound(InvalidInput):
    """There is no such endpoint."""

    code = "endpoint_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """How the door answered; `cause` and `detail` say why it refused."""

    outcome: str
    status: int
    answer: str
    delivery_id: str
    cause: str | None = None
    detail: str = ""
    event_id: UUID | None = None
    event_type: str = ""

    @property
    def how_to_fix(self) -> str:
        return how_to_fix(self.cause or "")


def send_test_event(
    *, endpoint_id: UUID, event: str = "", remote_address: str = ""
) -> Tested:
    """Deliver a sample to an endpoint as its sender would, signed with its secret.

    It passes all checks, counts towards all limits, and is an event like any other,
    but for the header X-Tickhook-Test. Raises EndpointNotFound, UnknownSample and
    CannotSign.
    """
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id).first()
    if endpoint is None:
        fault = Fault("/endpoint_id", "There is no such endpoint")
        raise EndpointNotFound(faults=[fault])
    definition, before = definition_for(endpoint), uuid7()
    request = build_request(
        definition,
        sample=sample_for(definition, event),
        secret=next(iter(live_secrets(endpoint)), None),
        url=webhook_url(endpoint),
        method=test_method(endpoint),
    )
    response = _through_the_door(request, endpoint, remote_address, mark=before)
    return _told(request, response, _recorded(endpoint, before))


def test_method(endpoint: WebhookEndpoint) -> str:
    allowed = endpoint.allowed_methods or ["POST"]
    return "POST" if "POST" in allowed else str(allowed[0])


def _through_the_door(
    request: TestRequest, endpoint: WebhookEndpoint, address: str, *, mark: UUID
) -> HttpResponseBase:
    path = reverse("webhook", args=[endpoint.webhook_id])
    headers = {**request.headers, TEST_HEADER: str(mark)}
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(request.body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": address,
        "wsgi.url_scheme": request.url.partition(":")[0],
        "wsgi.input": BytesIO(request.body),
        **{_environ_name(name): value for name, value in headers.items()},
    }
    view = resolve_url(path)
    response: HttpResponseBase = view.func(WSGIRequest(environ), **view.kwargs)
    render = getattr(response, "render", None)
    return response if render is None else render()


def _environ_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name == "CONTENT_TYPE" else f"HTTP_{name}"


def _recorded(endpoint: WebhookEndpoint, mark: UUID) -> Event | None:
    """Return the event that was just made: found by its mark, whatever the answer."""
    rows = Event.objects.filter(endpoint_id=endpoint.pk, id__gt=mark)
    for event in rows.only("id", "type", "delivery_id", "request")[:50]:
        headers = event.request["headers"] if event.request else {}
        if headers.get(TEST_HEADER) == str(mark):
            return event
    return None


def _told(
    request: TestRequest, response: HttpResponseBase, event: Event | None
) -> Tested:
    text = getattr(response, "content", b"").decode("utf-8", "replace")
    answer = _as_object(text)
    cause = answer.get("error_code") or _cause_of_success(answer)
    is_refused = response.status_code >= 400
    outcome = (
        DeliveryOutcome.DUPLICATE if cause == DUPLICATE else DeliveryOutcome.ACCEPTED
    )
    return Tested(
        outcome=DeliveryOutcome.REJECTED if is_refused else outcome,
        status=response.status_code,
        cause=cause,
        detail=answer.get("detail", "") if is_refused else "",
        event_id=event.pk if event else None,
        event_type=event.type if event else "",
        delivery_id=event.delivery_id if event else request.delivery_id,
        answer=text,
    )


def _cause_of_success(answer: dict[str, Any]) -> str | None:
    return DUPLICATE if answer.get("status") == DUPLICATE else None


def _as_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
