"""What the command `send_webhook` is to send."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from common.errors import Fault, InvalidInput
from senders.definitions.shipped import SampleDelivery
from webhooks.endpoints.lifecycle import live_secrets, webhook_url
from webhooks.endpoints.sample_requests import TestRequest, build_request, sample_for
from webhooks.models import WebhookEndpoint
from webhooks.types import definition_of, known_slugs


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
