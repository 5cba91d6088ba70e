"""A request as an endpoint's sender would make it, to try the endpoint by hand."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from django.utils import timezone

from common.ids import uuid7
from webhooks.definitions import WebhookTypeDefinition
from webhooks.definitions.schemes import HmacScheme, TokenScheme
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import live_secrets, webhook_url
from webhooks.services.types import definition_for
from webhooks.signatures import sign_as

SAMPLE_TYPE = "test"
SECRET_PLACEHOLDER = "YOUR-SECRET"  # noqa: S105 - stands for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A curl line, and for how long its signature is taken; None is for ever."""

    curl: str
    valid_seconds: int | None


def sample_request(endpoint: WebhookEndpoint) -> Sample:
    """Return a line that delivers a test event, signed where the type signs.

    The line never holds the secret: where it travels itself, a word stands for it.
    """
    definition = definition_for(endpoint)
    method = _method(endpoint)
    body = b"" if method == "GET" else _body()
    url = webhook_url(endpoint)
    headers = sign_as(
        definition,
        secret=_secret(endpoint, definition),
        body=body,
        now=timezone.now().timestamp(),
        delivery_id=f"test-{uuid7()}",
        event_type=SAMPLE_TYPE,
        method=method,
        url=url,
    )
    return Sample(
        curl=_curl(method, url, headers, body),
        valid_seconds=_tolerance(definition),
    )


def _method(endpoint: WebhookEndpoint) -> str:
    allowed = endpoint.allowed_methods or ["POST"]
    return "POST" if "POST" in allowed else str(allowed[0])


def _body() -> bytes:
    return json.dumps({"type": SAMPLE_TYPE, "message": "Hello"}).encode()


def _secret(endpoint: WebhookEndpoint, definition: WebhookTypeDefinition) -> str | None:
    live = live_secrets(endpoint)
    if live and isinstance(definition.signature, TokenScheme):
        return SECRET_PLACEHOLDER
    return live[0] if live else None


def _tolerance(definition: WebhookTypeDefinition) -> int | None:
    scheme = definition.signature
    if isinstance(scheme, HmacScheme) and scheme.timestamp is not None:
        return scheme.timestamp.tolerance_seconds
    return None


def _curl(method: str, url: str, headers: dict[str, str], body: bytes) -> str:
    parts = [f"curl -X {method} {shlex.quote(url)}"]
    if body:
        headers = {"Content-Type": "application/json", **headers}
    parts += [f"-H {shlex.quote(f'{name}: {text}')}" for name, text in headers.items()]
    if body:
        parts.append(f"--data-raw {shlex.quote(body.decode())}")
    return " \\\n  ".join(parts)
