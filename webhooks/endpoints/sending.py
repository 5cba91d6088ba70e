"""Sends a test event through the door itself, so that its answer is the true one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponseBase
from django.urls import resolve as resolve_url
from django.urls import reverse

from common.errors import Fault, InvalidInput
from common.ids import uuid7
from events.models import Event
from senders.definitions.samples import SampleDelivery
from webhooks.endpoints.lifecycle import live_secrets, webhook_url
from webhooks.endpoints.sample_requests import (
    TestRequest,
    build_request,
    sample_for,
    sample_method,
)
from webhooks.models import DeliveryOutcome, WebhookEndpoint
from webhooks.rejections.fixes import DUPLICATE, how_to_fix
from webhooks.types import definition_of, known_slugs
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
        method=sample_method(endpoint),
    )
    response = _through_the_door(request, endpoint, remote_address, mark=before)
    return _told(request, response, _recorded(endpoint, before))


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


class CannotSend(InvalidInput):
    """This can't be sent."""

    code = "cannot_send"

    def __init__(self, option: str, detail: str) -> None:
        super().__init__(f"--{option}: {detail}", faults=[Fault(f"/{option}", detail)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """A number of deliveries to one address, each with an id of its own."""

    type_slug: str
    event: str
    url: str
    secret: str | None
    body: bytes | None
    count: int
    headers: Mapping[str, str]

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """Read the command's options; raise CannotSend, OSError for the file."""
        endpoint = _endpoint(options["endpoint"])
        if options["count"] < 1:
            raise CannotSend("count", "At least one")
        return cls(
            type_slug=_type(options["type"], endpoint),
            event=options["event"],
            url=webhook_url(endpoint) if endpoint else options["url"],
            secret=options["secret"] or _secret(endpoint),
            body=_read_body(options["body"]),
            count=options["count"],
            headers=_read_headers(options["header"]),
        )


def plan_requests(wanted: Outbound) -> Iterator[TestRequest]:
    """Return the requests, signed now; raise UnknownSample, CannotSign."""
    definition = definition_of(wanted.type_slug)
    sample = _sample(wanted)
    for _ in range(wanted.count):
        request = build_request(
            definition, sample=sample, secret=wanted.secret, url=wanted.url
        )
        yield replace(request, headers={**request.headers, **wanted.headers})


def _sample(wanted: Outbound) -> SampleDelivery:
    if wanted.body is None:
        return sample_for(definition_of(wanted.type_slug), wanted.event)
    return SampleDelivery(event=wanted.event or "test", body=wanted.body)


def _endpoint(webhook_id: str | None) -> WebhookEndpoint | None:
    if webhook_id is None:
        return None
    found = WebhookEndpoint.objects.filter(webhook_id=webhook_id).first()
    if found is None:
        raise CannotSend("endpoint", "There is none of this name")
    return found


def _type(given: str | None, endpoint: WebhookEndpoint | None) -> str:
    if given is None:
        return endpoint.type if endpoint else "generic"
    if given.lower() not in (known := known_slugs()):
        raise CannotSend("type", f"Must be one of: {', '.join(sorted(known))}")
    return given.lower()


def _secret(endpoint: WebhookEndpoint | None) -> str | None:
    return next(iter(live_secrets(endpoint)), None) if endpoint else None


def _read_body(name: str | None) -> bytes | None:
    if name == "-":
        return sys.stdin.buffer.read()
    return None if name is None else Path(name).read_bytes()


def _read_headers(given: Sequence[str]) -> dict[str, str]:
    headers = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise CannotSend("header", f"Write 'Name: value', not {line!r}")
        headers[name.strip()] = value.strip()
    return headers
