"""Describes a request to a test-mode URL and previews the receiver's answer to it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from common.errors import NotFound, TickhookError, clean_text
from common.ids import uuid7
from webhooks.inspectors.store import Inspector
from webhooks.models import WebhookEndpoint
from webhooks.receiver.checks import check_rules
from webhooks.receiver.proof import needs_proof, verify_sender
from webhooks.receiver.request import (
    WebhookRequest,
    identify,
    open_request,
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
    """Return the request as the receiver reads it, but with another body limit.

    Raise BodyTooLarge or MalformedRequest.
    """
    endpoint = _endpoint_of(inspector)
    definition = replace(definition_for(endpoint), max_body_bytes=MAX_BODY_BYTES)
    query = http.META.get("QUERY_STRING", "")
    request = open_request(
        http,
        endpoint=endpoint,
        definition=definition,
        url=f"{inspector.url}?{query}" if query else inspector.url,
    )
    request.body = read_body(request)
    return request


def describe(inspector: Inspector, request: WebhookRequest) -> dict[str, Any]:
    """Return what is stored of a request; raise MalformedRequest.

    Of a header or query parameter that carries a credential only the name is stored.
    """
    body = request.body
    try:
        content = {"body": body.decode()}
    except UnicodeDecodeError:
        content = {"body": "", "body_base64": base64.b64encode(body).decode()}
    is_for_sender = bool(inspector.type_slug or inspector.endpoint_id)
    secret_headers = request.credential_headers
    secret_parameters = request.definition.credential_query
    return {
        "id": str(uuid7()),
        "received_at": timezone.now().isoformat(),
        "method": request.method,
        "headers": {
            name: HIDDEN if name in secret_headers else clean_text(value, limit=8192)
            for name, value in request.headers.items()
            if value
        },
        "query": {
            name: HIDDEN if name.lower() in secret_parameters else value
            for name, value in parse_query(request).items()
        },
        "remote_address": request.remote_address,
        "body_size": len(body),
        **content,
        "would_be": _preview_answer(request) if is_for_sender else None,
    }


def _endpoint_of(inspector: Inspector) -> WebhookEndpoint:
    if inspector.endpoint_id is None:
        return WebhookEndpoint(type=inspector.type_slug or UNTYPED)
    found = WebhookEndpoint.objects.filter(pk=inspector.endpoint_id).first()
    if found is None:
        raise NotFound("The endpoint of this test-mode URL was deleted")
    return found


def _preview_answer(request: WebhookRequest) -> dict[str, Any]:
    """Return the result of the receiver's checks, except limits and methods."""
    malformed = _refusal_by(_parse, request)
    # As the receiver does, but without counting a forgery for the limits.
    forged = _refusal_by(verify_sender, request)
    refusal = malformed or forged or _refusal_by(check_rules, request)
    identity = None if malformed else identify(request)
    if not needs_proof(request):
        signature = "not required"
    else:
        signature = "refused" if forged else "verified"
    return {
        "accepted": refusal is None,
        "cause": refusal.code if refusal else None,
        "detail": refusal.detail if refusal else "",
        "how_to_fix": how_to_fix(refusal.code) if refusal else "",
        "signature": signature,
        "event_type": identity.event_type if identity else None,
        "delivery_id": identity.delivery_id if identity else None,
    }


def _refusal_by(
    check: Callable[[WebhookRequest], None], request: WebhookRequest
) -> TickhookError | None:
    try:
        check(request)
    except TickhookError as error:
        return error
    return None


def _parse(request: WebhookRequest) -> None:
    request.content = parse_content(request)
