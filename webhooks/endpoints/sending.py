"""Sends sample requests: test events to an endpoint, and what `send_webhook` sends."""

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
from senders.definitions.shipped import SampleDelivery
from webhooks.endpoints.sample_requests import (
    SampleRequest,
    build_request,
    fill_in_config,
    sample_for,
    sample_method,
)
from webhooks.endpoints.secrets import THROW_AWAY_SECRET, live_secrets
from webhooks.endpoints.urls import webhook_url
from webhooks.models import DeliveryOutcome, WebhookEndpoint
from webhooks.rejections.fixes import DUPLICATE, how_to_fix
from webhooks.types import (
    definition_for,
    definition_of,
    find_named,
    known_slugs,
)
from webhooks.types.config_auth import auth_of

TEST_HEADER = "x-tickhook-test"


class EndpointNotFound(InvalidInput):
    """There is no endpoint with this id."""

    code = "endpoint_not_found"

    def __init__(self) -> None:
        super().__init__(faults=[Fault("/endpoint_id", "There is no such endpoint")])


class InvalidOption(InvalidInput):
    """An option of `send_webhook` is not valid."""

    code = "cannot_send"

    def __init__(self, option: str, detail: str) -> None:
        super().__init__(f"--{option}: {detail}", faults=[Fault(f"/{option}", detail)])


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTestEvent:
    """The answer to a test event; `cause` and `detail` explain a rejection."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """Options of `send_webhook`: `count` deliveries to one URL, each with a new id."""

    type_slug: str
    event: str
    url: str
    secret: str | None
    body: bytes | None
    count: int
    headers: Mapping[str, str]

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """Read the command's options; raise InvalidOption, or OSError for the file."""
        endpoint = _find_endpoint(options["endpoint"])
        if options["count"] < 1:
            raise InvalidOption("count", "Must be at least 1")
        live = live_secrets(endpoint) if endpoint else []
        body = None
        if name := options["body"]:
            is_stdin = name == "-"
            body = sys.stdin.buffer.read() if is_stdin else Path(name).read_bytes()
        return cls(
            type_slug=_read_type(options["type"], endpoint),
            event=options["event"],
            url=webhook_url(endpoint) if endpoint else options["url"],
            secret=options["secret"] or next(iter(live), None),
            body=body,
            count=options["count"],
            headers=_read_headers(options["header"]),
        )


def send_test_event(
    *, endpoint_id: UUID, event: str = "", remote_address: str = ""
) -> SentTestEvent:
    """Deliver a sample to an endpoint as its sender would, signed with its secret.

    The request runs through the receiver itself, so the answer is the real one. It
    passes all checks, counts toward all limits, and becomes an event like any other,
    except for the header X-Tickhook-Test. For a sender with a private key, a key that
    is made for this one request signs. Raises EndpointNotFound and UnknownSample.
    """
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id).first()
    if endpoint is None:
        raise EndpointNotFound
    definition, mark = definition_for(endpoint), uuid7()
    auth = auth_of(definition, endpoint.config)
    request = build_request(
        definition,
        sample=fill_in_config(
            definition, sample_for(definition, event), endpoint.config
        ),
        secret=next(iter(live_secrets(endpoint)), None),
        url=webhook_url(endpoint),
        method=sample_method(endpoint),
        login=auth.headers() if auth else None,
        with_throw_away_key=True,
    )
    response = _call_receiver(request, endpoint, remote_address, mark=mark)
    return _read_answer(request, response, _find_event(endpoint, mark))


def build_requests(options: SendOptions) -> Iterator[SampleRequest]:
    """Return the requests, signed now; raise UnknownSample, CannotSign."""
    definition = definition_of(options.type_slug)
    if options.body is None:
        sample = sample_for(definition, options.event)
    else:
        sample = SampleDelivery(event=options.event or "test", body=options.body)
    for _ in range(options.count):
        request = build_request(
            definition, sample=sample, secret=options.secret, url=options.url
        )
        yield replace(request, headers={**request.headers, **options.headers})


def _call_receiver(
    request: SampleRequest, endpoint: WebhookEndpoint, address: str, *, mark: UUID
) -> HttpResponseBase:
    path = reverse("webhook", args=[endpoint.webhook_id])
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path,
        "QUERY_STRING": request.url.partition("?")[2],
        "CONTENT_LENGTH": str(len(request.body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": address,
        "wsgi.url_scheme": request.url.partition(":")[0],
        "wsgi.input": BytesIO(request.body),
        # No client can set it: the names of headers begin with HTTP_ here.
        THROW_AWAY_SECRET: request.throw_away_secret,
    }
    for header, value in {**request.headers, TEST_HEADER: str(mark)}.items():
        name = header.upper().replace("-", "_")
        environ[name if name == "CONTENT_TYPE" else f"HTTP_{name}"] = value
    view = resolve_url(path)
    response: HttpResponseBase = view.func(WSGIRequest(environ), **view.kwargs)
    render = getattr(response, "render", None)
    return response if render is None else render()


def _find_event(endpoint: WebhookEndpoint, mark: UUID) -> Event | None:
    """Return the event of a test: its headers contain the mark.

    The mark is also a lower bound of its id, because ids begin with the time.
    """
    rows = Event.objects.filter(endpoint_id=endpoint.pk, id__gt=mark)
    for event in rows.only("id", "type", "delivery_id", "request")[:50]:
        headers = event.request["headers"] if event.request else {}
        if headers.get(TEST_HEADER) == str(mark):
            return event
    return None


def _read_answer(
    request: SampleRequest, response: HttpResponseBase, event: Event | None
) -> SentTestEvent:
    text = getattr(response, "content", b"").decode("utf-8", "replace")
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    is_duplicate = answer.get("status") == DUPLICATE
    is_rejected = response.status_code >= 400
    outcome = DeliveryOutcome.DUPLICATE if is_duplicate else DeliveryOutcome.ACCEPTED
    return SentTestEvent(
        outcome=DeliveryOutcome.REJECTED if is_rejected else outcome,
        status=response.status_code,
        cause=answer.get("error_code") or (DUPLICATE if is_duplicate else None),
        detail=answer.get("detail", "") if is_rejected else "",
        event_id=event.pk if event else None,
        event_type=event.type if event else "",
        delivery_id=event.delivery_id if event else request.delivery_id,
        answer=text,
    )


def _find_endpoint(webhook_id: str | None) -> WebhookEndpoint | None:
    if webhook_id is None:
        return None
    found = WebhookEndpoint.objects.filter(webhook_id=webhook_id).first()
    if found is None:
        raise InvalidOption("endpoint", "There is no endpoint with this id or path")
    return found


def _read_type(given: str | None, endpoint: WebhookEndpoint | None) -> str:
    if given is None:
        return endpoint.type if endpoint else "generic"
    definition = find_named(given)
    if definition is None:
        raise InvalidOption("type", f"Must be one of: {', '.join(known_slugs())}")
    return definition.slug


def _read_headers(lines: Sequence[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise InvalidOption("header", f"Must be 'Name: value', not {line!r}")
        headers[name.strip()] = value.strip()
    return headers
