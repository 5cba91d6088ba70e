"""What is shown of a request to a test-mode URL, and what the door would say of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from common.errors import NotFound, TickhookError, clean_text
from common.ids import uuid7
from senders.definitions.model import CREDENTIAL_PARAMETERS
from senders.signatures import verify
from webhooks.endpoints.lifecycle import live_secrets
from webhooks.inspectors.store import Inspector
from webhooks.models import WebhookEndpoint
from webhooks.receiver.checks import check_form, check_rules
from webhooks.receiver.request import Delivery
from webhooks.rejections.fixes import how_to_fix
from webhooks.types.definitions import definition_for

MAX_BODY_BYTES = 256 * 1024
HIDDEN = "(not shown)"
UNTYPED = "generic"


def received_by(inspector: Inspector, http: HttpRequest) -> Delivery:
    """Return the request as the door would see it, with a body limit of its own."""
    endpoint = _endpoint(inspector)
    definition = replace(definition_for(endpoint), max_body_bytes=MAX_BODY_BYTES)
    return Delivery(
        endpoint=endpoint,
        definition=definition,
        http=http,
        method=http.method or "",
        url=inspector.url + _query(http),
    )


def show(inspector: Inspector, delivery: Delivery) -> dict[str, Any]:
    """Return what is to be kept; raise BodyTooLarge or MalformedRequest."""
    body = delivery.body
    is_for_sender = bool(inspector.type_slug or inspector.endpoint_id)
    return {
        "id": str(uuid7()),
        "received_at": timezone.now().isoformat(),
        "method": delivery.method,
        "headers": _headers(delivery),
        "query": {
            name: HIDDEN if name.lower() in CREDENTIAL_PARAMETERS else value
            for name, value in delivery.query.items()
        },
        "remote_address": delivery.http.META.get("REMOTE_ADDR", ""),
        "body_size": len(body),
        **_body(body),
        "would_be": _would_be(delivery) if is_for_sender else None,
    }


def _endpoint(inspector: Inspector) -> WebhookEndpoint:
    if inspector.endpoint_id is None:
        return WebhookEndpoint(type=inspector.type_slug or UNTYPED)
    found = WebhookEndpoint.objects.filter(pk=inspector.endpoint_id).first()
    if found is None:
        raise NotFound("The endpoint of this test-mode URL is gone")
    return found


def _query(http: HttpRequest) -> str:
    raw = http.META.get("QUERY_STRING", "")
    return f"?{raw}" if raw else ""


def _headers(delivery: Delivery) -> dict[str, str]:
    """Return the headers; of one that carries a credential, only that it came."""
    secret = delivery.definition.credential_headers
    return {
        name: HIDDEN if name in secret else clean_text(value, limit=8192)
        for name, value in delivery.headers.items()
        if value
    }


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": "", "body_base64": base64.b64encode(body).decode()}


def _would_be(delivery: Delivery) -> dict[str, Any]:
    """Return what the door would find; limits and methods are not looked at."""
    refusal = _first_refusal(delivery, check_form, _check_signature, check_rules)
    return {
        "accepted": refusal is None,
        "cause": refusal.code if refusal else None,
        "detail": refusal.detail if refusal else "",
        "how_to_fix": how_to_fix(refusal.code) if refusal else "",
        "signature": _signature(delivery),
        **_identity(delivery),
    }


def _first_refusal(
    delivery: Delivery, *checks: Callable[[Delivery], None]
) -> TickhookError | None:
    for check in checks:
        try:
            check(delivery)
        except TickhookError as error:
            return error
    return None


def _signature(delivery: Delivery) -> str:
    if delivery.definition.signature is None or not _asks_for_one(delivery):
        return "none is asked for"
    refusal = _first_refusal(delivery, _check_signature)
    return "verified" if refusal is None else "refused"


def _asks_for_one(delivery: Delivery) -> bool:
    return bool(delivery.endpoint.secrets) or delivery.definition.signature_required


def _check_signature(delivery: Delivery) -> None:
    """Verify as the door does, but count no forgery: this is a trial."""
    if _asks_for_one(delivery):
        verify(
            delivery.definition.signature,
            secrets=live_secrets(delivery.endpoint),
            method=delivery.method,
            url=delivery.url,
            headers=delivery.headers,
            body=delivery.body,
            now=timezone.now().timestamp(),
        )


def _identity(delivery: Delivery) -> dict[str, str | None]:
    try:
        identity = delivery.identity
    except TickhookError:
        return {"event_type": None, "delivery_id": None}
    return {"event_type": identity.event_type, "delivery_id": identity.delivery_id}
