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
from senders.definitions.webhook_types import CREDENTIAL_PARAMETERS
from senders.signatures import verify
from webhooks.endpoints.secrets import live_secrets
from webhooks.inspectors.store import Inspector
from webhooks.models import WebhookEndpoint
from webhooks.receiver.checks import check_form, check_rules
from webhooks.receiver.request import Delivery
from webhooks.rejections.fixes import how_to_fix
from webhooks.types.definitions import definition_for

MAX_BODY_BYTES = 256 * 1024
HIDDEN = "(not shown)"
UNTYPED = "generic"


def read_request(inspector: Inspector, http: HttpRequest) -> Delivery:
    """Return the request as the receiver reads it, but with another body limit."""
    endpoint = _endpoint_of(inspector)
    definition = replace(definition_for(endpoint), max_body_bytes=MAX_BODY_BYTES)
    query = http.META.get("QUERY_STRING", "")
    return Delivery(
        endpoint=endpoint,
        definition=definition,
        http=http,
        method=http.method or "",
        url=f"{inspector.url}?{query}" if query else inspector.url,
    )


def describe(inspector: Inspector, request: Delivery) -> dict[str, Any]:
    """Return what is stored of a request; raise BodyTooLarge or MalformedRequest.

    Of a header or query parameter that carries a credential only the name is stored.
    """
    body = request.body
    try:
        content = {"body": body.decode()}
    except UnicodeDecodeError:
        content = {"body": "", "body_base64": base64.b64encode(body).decode()}
    is_for_sender = bool(inspector.type_slug or inspector.endpoint_id)
    secret_headers = request.definition.credential_headers
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
            name: HIDDEN if name.lower() in CREDENTIAL_PARAMETERS else value
            for name, value in request.query.items()
        },
        "remote_address": request.http.META.get("REMOTE_ADDR", ""),
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


def _preview_answer(request: Delivery) -> dict[str, Any]:
    """Return the result of the receiver's checks, except limits and methods."""
    refusal = _first_refusal(request, check_form, _check_signature, check_rules)
    if request.definition.signature is None or not _needs_signature(request):
        signature = "not required"
    else:
        is_refused = _first_refusal(request, _check_signature) is not None
        signature = "refused" if is_refused else "verified"
    try:
        identity = request.identity
    except TickhookError:  # the body is malformed
        identity = None
    return {
        "accepted": refusal is None,
        "cause": refusal.code if refusal else None,
        "detail": refusal.detail if refusal else "",
        "how_to_fix": how_to_fix(refusal.code) if refusal else "",
        "signature": signature,
        "event_type": identity.event_type if identity else None,
        "delivery_id": identity.delivery_id if identity else None,
    }


def _first_refusal(
    request: Delivery, *checks: Callable[[Delivery], None]
) -> TickhookError | None:
    for check in checks:
        try:
            check(request)
        except TickhookError as error:
            return error
    return None


def _needs_signature(request: Delivery) -> bool:
    return bool(request.endpoint.secrets) or request.definition.signature_required


def _check_signature(request: Delivery) -> None:
    """Verify as the receiver does, but without counting a forgery for the limits."""
    if _needs_signature(request):
        verify(
            request.definition.signature,
            secrets=live_secrets(request.endpoint),
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
            now=timezone.now().timestamp(),
        )
