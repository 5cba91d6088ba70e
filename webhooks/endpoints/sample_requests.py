"""A request as a sender would make it: from a sample, with an id of its own, signed."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from common.errors import Fault, InvalidInput
from common.ids import uuid7
from senders.definitions import (
    BodyHashSource,
    BodySource,
    HeaderSource,
    JoinedSource,
    Source,
    WebhookTypeDefinition,
)
from senders.definitions.samples import SampleDelivery, sample_events, sample_of
from senders.definitions.schemes import CertificateScheme, PublicKeyScheme
from senders.parsing.finding import follow
from senders.signatures import OnlyTheSenderSigns, sends_secret, sign_request
from webhooks.endpoints.lifecycle import live_secrets, webhook_url
from webhooks.models import WebhookEndpoint
from webhooks.types import definition_for

FORM = "application/x-www-form-urlencoded"


class UnknownSample(InvalidInput):
    """There is no sample of this event."""

    code = "unknown_sample"


class CannotSign(OnlyTheSenderSigns):
    """Only the sender can sign this."""

    def __init__(self, definition: WebhookTypeDefinition) -> None:
        super().__init__(
            f"{definition.name} signs with a private key that only it has, so a test "
            "event can't be signed here. Have it send one from its own settings, or "
            "look at what it sends through a test-mode URL "
            "(POST /api/v1/deliveries/inspectors)."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRequest:
    """What is to be sent, byte for byte."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    delivery_id: str
    valid_seconds: int | None = None


def sample_for(definition: WebhookTypeDefinition, event: str) -> SampleDelivery:
    """Return the sample of an event, or the first; raise UnknownSample."""
    sample = sample_of(definition.slug, event)
    if sample is None:
        known = ", ".join(sample_events(definition.slug))
        detail = f"{definition.name} has samples of: {known}"
        raise UnknownSample(detail, faults=[Fault("/event", detail)])
    return sample


def build_request(
    definition: WebhookTypeDefinition,
    *,
    sample: SampleDelivery,
    secret: str | None,
    url: str,
    method: str = "POST",
) -> TestRequest:
    """Return a delivery of the sample that no one has seen before.

    Without a secret it is not signed. Raises CannotSign, and InvalidSignature if the
    secret is not one.
    """
    if isinstance(definition.signature, PublicKeyScheme | CertificateScheme):
        raise CannotSign(definition)
    delivery_id = f"test-{uuid7()}"
    body = b"" if method == "GET" else _with_own_id(definition, sample, delivery_id)
    content = {"Content-Type": sample.content_type} if body else {}
    signed = sign_request(
        definition.slug,
        secret=secret,
        body=body,
        now=time.time(),
        delivery_id=delivery_id,
        event_type=sample.event,
        method=method,
        url=url,
        headers={**content, **_own_headers(definition, sample, delivery_id)},
    )
    return TestRequest(
        method=method,
        url=url,
        headers=signed.headers,
        body=signed.body,
        delivery_id=delivery_id,
        valid_seconds=signed.valid_seconds,
    )


def _with_own_id(
    definition: WebhookTypeDefinition, sample: SampleDelivery, delivery_id: str
) -> bytes:
    """Return the sample's body, with a new id where the sender writes it there."""
    if sample.content_type == FORM:
        return _form_with(definition, sample.body, delivery_id)
    return _json_with(definition, sample.body, delivery_id)


def _json_with(
    definition: WebhookTypeDefinition, sample: bytes, delivery_id: str
) -> bytes:
    """Return the JSON with a new id; of an array, in each item.

    Where the bytes themselves are the id, a member is added.
    """
    try:
        body: Any = json.loads(sample)
    except ValueError:
        return sample
    paths = [path for source in definition.delivery_id for path in _paths(source)]
    values = [body, *(body if isinstance(body, list) else [])]
    is_changed = [_replace(one, path, delivery_id) for one in values for path in paths]
    if any(is_changed):
        return _dump(body)
    is_hashed = any(isinstance(s, BodyHashSource) for s in definition.delivery_id)
    if is_hashed and isinstance(body, dict):
        return _dump({**body, "test_delivery_id": delivery_id})
    return sample


def _paths(source: Source) -> list[tuple[str, ...]]:
    """Return the places in the body by which deliveries are told apart."""
    if isinstance(source, JoinedSource):
        return [path for part in source.sources for path in _paths(part)][:1]
    return [source.path] if isinstance(source, BodySource) else []


def _own_headers(
    definition: WebhookTypeDefinition, sample: SampleDelivery, delivery_id: str
) -> dict[str, str]:
    """Return the sample's headers, with a new id where it is a part of one."""
    joined = (s for s in definition.delivery_id if isinstance(s, JoinedSource))
    parts = {
        part.name.lower()
        for source in joined
        for part in source.sources[-1:]
        if isinstance(part, HeaderSource)
    }
    return {
        name: delivery_id if name.lower() in parts else value
        for name, value in sample.headers.items()
    }


def _form_with(
    definition: WebhookTypeDefinition, body: bytes, delivery_id: str
) -> bytes:
    paths = [path for source in definition.delivery_id for path in _paths(source)]
    names = {path[0] for path in paths}
    changed = []
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        if name == definition.form_json_field:
            value = _json_with(definition, value.encode(), delivery_id).decode()
        changed.append((name, delivery_id if name in names else value))
    return urlencode(changed).encode()


def _replace(body: Any, path: tuple[str, ...], delivery_id: str) -> bool:
    """Write a new id over the one that is there, of its kind; return whether one is."""
    holder: Any = follow(body, path[:-1])
    present = holder.get(path[-1]) if isinstance(holder, dict) else None
    if isinstance(present, str):
        holder[path[-1]] = delivery_id
    elif isinstance(present, int) and not isinstance(present, bool):
        holder[path[-1]] = time.time_ns() // 1000
    else:
        return False
    return True


def _dump(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


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
        method=sample_method(endpoint),
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


def sample_method(endpoint: WebhookEndpoint) -> str:
    allowed = endpoint.allowed_methods or ["POST"]
    return "POST" if "POST" in allowed else str(allowed[0])
