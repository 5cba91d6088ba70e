"""Requests of the shipped senders: the samples, signed in the tests themselves."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import pytest
from django.test import Client

import senders
from senders.definitions import resolve
from senders.definitions.answers import Handshake
from senders.parsing import DeliveryIdentity, Finder, extract_identity, parse_body
from senders.signatures import FailureReason, InvalidSignature, verify_request
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint
from webhooks.receiver.answers import Filler, render
from webhooks.receiver.handshakes import first_fitting, handshakes_by

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

SAMPLES = Path(senders.__path__[0]) / "samples"
NOW = 1_795_000_000
URL = "https://hooks.example/webhooks/wht_1"
SECRET = "correct-horse-battery-staple"  # noqa: S105 - made up for the tests
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request of one sender."""

    slug: str
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    url: str = URL

    def plus(self, **headers: str) -> Self:
        """Return the request with these headers; names have `_` for `-`."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **added})

    def without(self, name: str) -> Self:
        assert name in self.headers
        left = {key: value for key, value in self.headers.items() if key != name}
        return replace(self, headers=left)

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    @property
    def all_headers(self) -> dict[str, str]:
        return {"content-type": self.content_type, **self.headers}


def sample(slug: str, event: str) -> Sent:
    data = json.loads((SAMPLES / slug / f"{event}.json").read_bytes())
    text = data.get("body_text")
    body = json.dumps(data["body"]) if text is None else text
    return Sent(
        slug=slug,
        body=body.encode(),
        content_type=data.get("content_type", JSON),
        headers=data.get("headers", {}),
    )


def as_json(slug: str, **fields: object) -> Sent:
    return Sent(slug=slug, body=json.dumps(fields).encode())


def hex_hmac(content: bytes, hash_name: str = "sha256", secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), content, hash_name).hexdigest()


def verify(sent: Sent, *, secret: str = SECRET, now: float = NOW) -> None:
    verify_request(
        sent.slug,
        secrets=[secret],
        method=sent.method,
        url=sent.url,
        headers=sent.all_headers,
        body=sent.body,
        now=now,
    )


def refusal(sent: Sent, *, secret: str = SECRET, now: float = NOW) -> FailureReason:
    """Return why the signature is refused; fail if it isn't."""
    with pytest.raises(InvalidSignature) as refused:
        verify(sent, secret=secret, now=now)
    return refused.value.reason


def assert_taken_within(seconds: float, sent: Sent) -> None:
    """Check that a request signed at NOW is taken so long either way, no longer."""
    for early_or_late in (-seconds, seconds):
        verify(sent, now=NOW + early_or_late)
    for too_far in (-seconds - 1, seconds + 1):
        cause = refusal(sent, now=NOW + too_far)
        assert cause == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE


def finder(sent: Sent, **query: str) -> Finder:
    """Return the request as the door reads it."""
    names = resolve(sent.slug).form_json_field
    parsed = parse_body(sent.body, sent.content_type, form_json_field=names)
    headers = {name.lower(): value for name, value in sent.all_headers.items()}
    return Finder(headers=headers, query=query, body=parsed.value)


def identify(sent: Sent, *, now: float = NOW) -> DeliveryIdentity:
    definition = resolve(sent.slug)
    return extract_identity(definition, finder(sent), raw_body=sent.body, now=now)


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


def knock(
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
