"""Builds a request as a sender would send it: from a sample, with a new id, signed."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from senders.definitions.schemes import (
    CertificateScheme,
    JwtScheme,
    PublicKeyScheme,
    SignatureScheme,
)
from senders.definitions.shipped import (
    SampleDelivery,
    compact_json,
    sample_events,
    sample_of,
)
from senders.parsing.finding import resolve_pointer
from senders.signatures import OnlyTheSenderSigns, sends_secret, sign_for
from webhooks.endpoints.secrets import live_secrets
from webhooks.endpoints.urls import webhook_url
from webhooks.models import WebhookEndpoint
from webhooks.types import definition_for
from webhooks.types.config_auth import auth_of

FORM = "application/x-www-form-urlencoded"
SECRET_PLACEHOLDER = "YOUR-SECRET"  # noqa: S105 - stands for one


class UnknownSample(InvalidInput):
    """There is no sample of this event."""

    code = "unknown_sample"


class CannotSign(OnlyTheSenderSigns):
    """Only the sender can sign this."""

    def __init__(self, definition: WebhookTypeDefinition) -> None:
        look = "Look at what the sender sends through a test-mode URL (POST "
        look += "/api/v1/deliveries/inspectors)."
        if not isinstance(definition.signature, JwtScheme):
            look = (
                "Send a test event (POST /api/v1/deliveries/test), which a key of its "
                f"own signs. {look}"
            )
        super().__init__(
            f"{definition.name} signs with a private key that only it has, so no "
            f"request can be signed here. {look}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """A signed request, byte for byte; `valid_seconds` is None if it never expires.

    `throw_away_secret` verifies it, if a key was made for this request only.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    delivery_id: str
    valid_seconds: int | None = None
    throw_away_secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCommand:
    """A curl command; its signature is valid for `valid_seconds`, None is forever."""

    curl: str
    valid_seconds: int | None


def sample_for(definition: WebhookTypeDefinition, event: str) -> SampleDelivery:
    """Return the sample of an event, or the first sample; raise UnknownSample."""
    sample = sample_of(definition.slug, event)
    if sample is None:
        known = ", ".join(sample_events(definition.slug))
        detail = f"{definition.name} has samples of: {known}"
        raise UnknownSample(detail, faults=[Fault("/event", detail)])
    return sample


def fill_in_config(
    definition: WebhookTypeDefinition,
    sample: SampleDelivery,
    config: Mapping[str, Any],
) -> SampleDelivery:
    """Return the sample with the values that the endpoint's config requires in it."""
    wanted = [
        (match.source.path, config[match.key])
        for match in definition.config_matches
        if isinstance(match.source, BodySource) and match.key in config
    ]
    if not wanted:
        return sample
    try:
        body: Any = json.loads(sample.body)
    except ValueError:
        return sample
    for path, value in wanted:
        parent: Any = resolve_pointer(body, path[:-1])
        if isinstance(parent, dict):
            parent[path[-1]] = value
    return replace(sample, body=compact_json(body))


def sample_method(endpoint: WebhookEndpoint) -> str:
    allowed = endpoint.allowed_methods or ["POST"]
    return "POST" if "POST" in allowed else str(allowed[0])


def _can_sign(scheme: SignatureScheme | None, *, with_throw_away_key: bool) -> bool:
    """Return whether a request can be signed here; no key stands for published ones."""
    if isinstance(scheme, PublicKeyScheme | CertificateScheme):
        return with_throw_away_key
    return not isinstance(scheme, JwtScheme)


def build_request(
    definition: WebhookTypeDefinition,
    *,
    sample: SampleDelivery,
    secret: str | None,
    url: str,
    method: str = "POST",
    login: Mapping[str, str] | None = None,
    with_throw_away_key: bool = False,
) -> SampleRequest:
    """Return a delivery of the sample with a new delivery id and the login's header.

    Without a secret it is not signed. Raises CannotSign if only the sender has the
    private key and none may be made for this request; InvalidSignature if the secret
    is not valid.
    """
    if not _can_sign(definition.signature, with_throw_away_key=with_throw_away_key):
        raise CannotSign(definition)
    delivery_id = f"test-{uuid7()}"
    headers, body = _with_id(definition, sample, delivery_id)
    if method == "GET" or not body:
        headers.pop("Content-Type")
        body = b""
    signed = sign_for(
        definition,
        secret=secret,
        body=body,
        now=time.time(),
        delivery_id=delivery_id,
        event_type=sample.event,
        method=method,
        url=url,
        headers=headers,
        with_throw_away_key=with_throw_away_key,
    )
    return SampleRequest(
        method=method,
        url=signed.url,
        headers={**signed.headers, **(login or {})},
        body=signed.body,
        delivery_id=delivery_id,
        valid_seconds=signed.valid_seconds,
        throw_away_secret=signed.throw_away_secret,
    )


def _with_id(
    definition: WebhookTypeDefinition, sample: SampleDelivery, delivery_id: str
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a sample with another delivery id."""
    is_form = sample.content_type == FORM
    replace_in_body = _replace_id_in_form if is_form else _replace_id_in_json
    headers = _replace_id_in_headers(definition, sample, delivery_id)
    return (
        {"Content-Type": sample.content_type, **headers},
        replace_in_body(definition, sample.body, delivery_id),
    )


def sample_command(endpoint: WebhookEndpoint) -> SampleCommand:
    """Return a curl command that delivers a sample, signed if the type signs.

    It never contains the secret: if the sender would send the secret itself, a
    placeholder stands for it. Raises CannotSign.
    """
    definition = definition_for(endpoint)
    scheme = definition.signature
    secret = next(iter(live_secrets(endpoint)), None)
    if secret is not None and scheme is not None and sends_secret(scheme, secret):
        secret = SECRET_PLACEHOLDER
    auth = auth_of(definition, endpoint.config)
    request = build_request(
        definition,
        sample=sample_for(definition, ""),
        secret=secret,
        url=webhook_url(endpoint),
        method=sample_method(endpoint),
        login=auth.headers(SECRET_PLACEHOLDER) if auth else None,
    )
    return SampleCommand(
        curl=curl_command(request), valid_seconds=request.valid_seconds
    )


def curl_command(request: SampleRequest) -> str:
    """Return the shell command that sends a request."""
    parts = [f"curl -X {request.method} {shlex.quote(request.url)}"]
    for name, text in request.headers.items():
        parts.append(f"-H {shlex.quote(f'{name}: {text}')}")
    if request.body:
        parts.append(f"--data-raw {shlex.quote(request.body.decode())}")
    return " \\\n  ".join(parts)


def _replace_id_in_json(
    definition: WebhookTypeDefinition, sample: bytes, delivery_id: str
) -> bytes:
    """Return the JSON with a new id; in an array, every item gets the new id.

    If the id is a hash of the body, a member is added to change the hash.
    """
    try:
        body: Any = json.loads(sample)
    except ValueError:
        return sample
    paths = [path for source in definition.delivery_id for path in _paths(source)]
    values = [body, *(body if isinstance(body, list) else [])]
    is_changed = [
        _replace_id(one, path, delivery_id) for one in values for path in paths
    ]
    if any(is_changed):
        return compact_json(body)
    is_hashed = any(isinstance(s, BodyHashSource) for s in definition.delivery_id)
    if is_hashed and isinstance(body, dict):
        body = {**body, "test_delivery_id": delivery_id}
        return compact_json(body)
    return sample


def _replace_id_in_form(
    definition: WebhookTypeDefinition, body: bytes, delivery_id: str
) -> bytes:
    paths = [path for source in definition.delivery_id for path in _paths(source)]
    names = {path[0] for path in paths}
    changed = []
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        if name == definition.form_json_field:
            value = _replace_id_in_json(
                definition, value.encode(), delivery_id
            ).decode()
        changed.append((name, delivery_id if name in names else value))
    return urlencode(changed).encode()


def _replace_id_in_headers(
    definition: WebhookTypeDefinition, sample: SampleDelivery, delivery_id: str
) -> dict[str, str]:
    """Return the sample's headers; a header that is part of a joined id is replaced."""
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


def _paths(source: Source) -> list[tuple[str, ...]]:
    """Return the paths in the body that the delivery id is read from."""
    if isinstance(source, JoinedSource):
        return [path for part in source.sources for path in _paths(part)][:1]
    return [source.path] if isinstance(source, BodySource) else []


def _replace_id(body: Any, path: tuple[str, ...], delivery_id: str) -> bool:
    """Replace the id at a path, keep its JSON type; return whether there is one."""
    parent: Any = resolve_pointer(body, path[:-1])
    current = parent.get(path[-1]) if isinstance(parent, dict) else None
    if isinstance(current, str):
        parent[path[-1]] = delivery_id
    elif isinstance(current, int) and not isinstance(current, bool):
        parent[path[-1]] = time.time_ns() // 1000
    else:
        return False
    return True
