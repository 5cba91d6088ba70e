"""Sends the requests of senders to an endpoint, or only to its handshakes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.test import Client
from django.utils import timezone

from senders.definitions import resolve
from senders.definitions.answers import Handshake
from senders.signatures.jwt import key_set_text
from tests.senders.requests import SECRET, Sent, finder
from tests.senders.sender_keys import GOOGLE_KEYS, published_keys
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import (
    PendingFetch,
    PendingFetchKind,
    PendingFetchStatus,
    WebhookEndpoint,
)
from webhooks.pending_fetches import _load_keys
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


def store_keys(*, age_seconds: float = 0) -> PendingFetch:
    """Store the keys of Google as a worker stored them so long ago."""
    _load_keys.cache_clear()
    fetched_at = time.time() - age_seconds
    row, _ = PendingFetch.objects.update_or_create(
        kind=PendingFetchKind.KEYS,
        url=GOOGLE_KEYS,
        defaults={
            "status": PendingFetchStatus.DONE,
            "result": key_set_text(published_keys(), fetched_at=fetched_at),
            "next_attempt_at": timezone.now() + timedelta(seconds=300 - age_seconds),
        },
    )
    return row
