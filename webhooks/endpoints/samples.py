"""A request as an endpoint's sender would make it, to try the endpoint by hand."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from senders.definitions import WebhookTypeDefinition
from senders.signatures import sends_secret
from webhooks.endpoints.lifecycle import live_secrets, webhook_url
from webhooks.endpoints.sample_events import test_method
from webhooks.endpoints.sample_requests import TestRequest, build_request, sample_for
from webhooks.models import WebhookEndpoint
from webhooks.types import definition_for

SECRET_PLACEHOLDER = "YOUR-SECRET"  # noqa: S105 - stands for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A curl line, and for how long its signature is taken; None is for ever."""

    curl: str
    valid_seconds: int | None


def sample_request(endpoint: WebhookEndpoint) -> Sample:
    """Return a line that delivers a sample, signed where the type signs.

    The line never holds the secret: where it travels itself, a word stands for it.
    Raises CannotSign.
    """
    definition = definition_for(endpoint)
    request = build_request(
        definition,
        sample=sample_for(definition, ""),
        secret=_secret(endpoint, definition),
        url=webhook_url(endpoint),
        method=test_method(endpoint),
    )
    return Sample(curl=curl_line(request), valid_seconds=request.valid_seconds)


def curl_line(request: TestRequest) -> str:
    """Return the shell's line that sends a request."""
    parts = [f"curl -X {request.method} {shlex.quote(request.url)}"]
    for name, text in request.headers.items():
        parts.append(f"-H {shlex.quote(f'{name}: {text}')}")
    if request.body:
        parts.append(f"--data-raw {shlex.quote(request.body.decode())}")
    return " \\\n  ".join(parts)


def _secret(endpoint: WebhookEndpoint, definition: WebhookTypeDefinition) -> str | None:
    live = live_secrets(endpoint)
    scheme = definition.signature
    if live and scheme is not None and sends_secret(scheme, live[0]):
        return SECRET_PLACEHOLDER
    return live[0] if live else None
