"""What a test-mode URL shows of a request, and how the receiver would answer it."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from common.errors import NotFound, TickhookError
from common.ids import uuid7
from common.text import clean_text
from senders.definitions.model import CREDENTIAL_PARAMETERS
from senders.signatures import verify
from webhooks.endpoints.lifecycle import live_secrets
from webhooks.inspectors.store import Inspector
from webhooks.models import WebhookEndpoint
from webhooks.receiver.checks import check_rules
from webhooks.receiver.request import (
    WebhookRequest,
    build_request,
    identify,
    parse_content,
    parse_query,
    read_body,
)
from webhooks.rejections.fixes import how_to_fix
from webhooks.types.definitions import definition_for

MAX_BODY_BYTES = 256 * 1024
HIDDEN = "(not shown)"
UNTYPED = "generic"


def read_request(inspector: Inspector, http: HttpRequest) -> WebhookRequest:
    """Return the request as the receiver sees it, with a body limit of its own.

    Raise BodyTooLarge or MalformedRequest.
    """
    endpoint = _endpoint(inspector)
    definition = replace(definition_for(endpoint), max_body_bytes=MAX_BODY_BYTES)
    query = http.META.get("QUERY_STRING", "")
    request = build_request(
        http,
        endpoint=endpoint,
        definition=definition,
        url=f"{inspector.url}?{query}" if query else inspector.url,
    )
    request.body = read_body(request)
    return request


def show(inspector: Inspector, request: WebhookRequest) -> dict[str, Any]:
    """Return what to store of a request; raise MalformedRequest."""
    is_for_sender = bool(inspector.type_slug or inspector.endpoint_id)
    return {
        "id": str(uuid7()),
        "received_at": timezone.now().isoformat(),
        "method": request.method,
        "headers": _headers(request),
        "query": {
            name: HIDDEN if name.lower() in CREDENTIAL_PARAMETERS else value
            for name, value in parse_query(request).items()
        },
        "remote_address": request.remote_address,
        "body_size": len(request.body),
        **_body(request.body),
        "would_be": _preview(request) if is_for_sender else None,
    }


def _endpoint(inspector: Inspector) -> WebhookEndpoint:
    if inspector.endpoint_id is None:
        return WebhookEndpoint(type=inspector.type_slug or UNTYPED)
    found = WebhookEndpoint.objects.filter(pk=inspector.endpoint_id).first()
    if found is None:
        raise NotFound("The endpoint of this test-mode URL is gone")
    return found


def _headers(request: WebhookRequest) -> dict[str, str]:
    """Return the headers; the value of one that carries a credential is hidden."""
    secret = request.definition.credential_headers
    return {
        name: HIDDEN if name in secret else clean_text(value, limit=8192)
        for name, value in request.headers.items()
        if value
    }


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": "", "body_base64": base64.b64encode(body).decode()}


def _preview(request: WebhookRequest) -> dict[str, Any]:
    """Return how the receiver would answer; limits and methods are not checked."""
    unreadable, identity = _parse(request)
    unverified = _check_signature(request)
    refusal = unreadable or unverified or _check_rules(request)
    return {
        "accepted": refusal is None,
        "cause": refusal.code if refusal else None,
        "detail": refusal.detail if refusal else "",
        "how_to_fix": how_to_fix(refusal.code) if refusal else "",
        "signature": _signature_status(request, unverified),
        **identity,
    }


def _parse(
    request: WebhookRequest,
) -> tuple[TickhookError | None, dict[str, str | None]]:
    """Parse the request; return the error, if any, and who sent what."""
    try:
        request.content = parse_content(request)
    except TickhookError as error:
        return error, {"event_type": None, "delivery_id": None}
    identity = identify(request)
    return None, {
        "event_type": identity.event_type,
        "delivery_id": identity.delivery_id,
    }


def _check_rules(request: WebhookRequest) -> TickhookError | None:
    try:
        check_rules(request)
    except TickhookError as error:
        return error
    return None


def _requires_signature(request: WebhookRequest) -> bool:
    return bool(request.endpoint.secrets) or request.definition.signature_required


def _check_signature(request: WebhookRequest) -> TickhookError | None:
    """Verify as the receiver does, but count no forgery: the request is a test."""
    if not _requires_signature(request):
        return None
    try:
        verify(
            request.definition.signature,
            secrets=live_secrets(request.endpoint),
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
            now=timezone.now().timestamp(),
        )
    except TickhookError as error:
        return error
    return None


def _signature_status(request: WebhookRequest, unverified: TickhookError | None) -> str:
    if request.definition.signature is None or not _requires_signature(request):
        return "none is asked for"
    return "verified" if unverified is None else "refused"
