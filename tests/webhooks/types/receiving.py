"""Sends the requests of senders to an endpoint, or only to its handshakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.test import Client

from senders.definitions import resolve
from senders.definitions.answers import Handshake
from tests.senders.requests import SECRET, Sent, finder
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint
from webhooks.receiver.answers import Filler, render
from webhooks.receiver.handshakes import first_fitting, handshakes_by

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer


def handshake(
    sent: Sent, *, signed: bool, query: Mapping[str, str] | None = None
) -> Handshake | None:
    definition = resolve(sent.slug)
    possible = handshakes_by(definition, method=sent.method, is_signed=signed)
    return first_fitting(possible, finder(sent, **(query or {})))


def answer_to(
    sent: Sent, *, signed: bool, query: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return the answer to a handshake."""
    found = handshake(sent, signed=signed, query=query)
    assert found is not None
    request = finder(sent, **(query or {}))
    return render(found.answer, Filler(request=request, secrets=[SECRET]))


def make_endpoint(slug: str, **config: object) -> WebhookEndpoint:
    config = {"secret": SECRET, **config}
    return create_endpoint(type_slug=slug, config=config).endpoint


def send(
    endpoint: WebhookEndpoint, sent: Sent, *, query: Mapping[str, str] | None = None
) -> Answer:
    """Send the request to the endpoint."""
    return Client().generic(
        sent.method,
        f"/webhooks/{endpoint.webhook_id}?{urlencode(query or {})}".rstrip("?"),
        sent.body,
        sent.content_type,
        headers=dict(sent.headers),
    )
