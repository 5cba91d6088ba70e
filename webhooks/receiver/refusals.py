"""Records requests that became no event, for people to look at: counted, and sampled.

None of them costs an SQL statement of its own.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.utils import timezone

from common.errors import TickhookError, clean_text, join_faults
from common.fields import dump_json
from common.ids import uuid7
from senders.definitions.answers import Handshake
from webhooks.receiver.request import (
    HIDDEN,
    NOT_PARSED,
    WebhookRequest,
    identify,
    storable_headers,
)
from webhooks.rejections.fixes import DUPLICATE, HANDSHAKE
from webhooks.rejections.recording import (
    RejectedRequest,
    count_handshake,
    record_rejection,
)

KEPT_BODY_BYTES = 16 * 1024


def record_refusal(request: WebhookRequest, error: TickhookError) -> None:
    record_rejection(
        endpoint_id=request.endpoint.id,
        cause=error.code,
        is_verified=request.is_verified,
        describe=partial(_describe_refusal, request, error),
    )


def record_duplicate(request: WebhookRequest, event_id: UUID) -> None:
    """Record a delivery whose event existed before.

    Its body is not stored: it is that of the event.
    """
    record_rejection(
        endpoint_id=request.endpoint.id,
        cause=DUPLICATE,
        is_verified=request.is_verified,
        describe=partial(_describe_duplicate, request, event_id),
    )


def record_handshake(request: WebhookRequest, handshake: Handshake) -> None:
    """Count an answered handshake; store the request only if its type says so."""
    if not handshake.is_kept:
        count_handshake(endpoint_id=request.endpoint.id)
        return
    detail = "The sender checked this URL; the body contains its token."
    record_rejection(
        endpoint_id=request.endpoint.id,
        cause=HANDSHAKE,
        is_verified=request.is_verified,
        describe=partial(
            _describe,
            request,
            cause=HANDSHAKE,
            status=handshake.answer.status,
            detail=detail,
        ),
    )


def _describe_refusal(request: WebhookRequest, error: TickhookError) -> RejectedRequest:
    detail = join_faults(error.faults, limit=None) or error.detail
    return _describe(request, cause=error.code, status=error.http_status, detail=detail)


def _describe(
    request: WebhookRequest, *, cause: str, status: int, detail: str
) -> RejectedRequest:
    # The delivery id is known only if the checks got as far as parsing the request.
    is_parsed = request.content is not NOT_PARSED
    delivery_id = identify(request).delivery_id if is_parsed else None
    headers = storable_headers(request).items()
    body = request.body
    for secret in _secrets_of(request):
        body = body.replace(secret.encode(), HIDDEN.encode())
    return RejectedRequest(
        id=uuid7(),
        endpoint=request.endpoint.id,
        cause=cause,
        status=status,
        detail=clean_text(_hide_secrets(request, detail), limit=2000),
        method=clean_text(request.method, limit=10),
        remote_address=None if request.address is None else str(request.address),
        delivery_id=clean_text(_hide_secrets(request, delivery_id or ""), limit=255),
        headers=dump_json({n: _hide_secrets(request, v) for n, v in headers}),
        body=body[:KEPT_BODY_BYTES],
        received_at=timezone.now(),
        body_size=request.body_size,
    )


def _describe_duplicate(request: WebhookRequest, event_id: UUID) -> RejectedRequest:
    return RejectedRequest(
        id=uuid7(),
        endpoint=request.endpoint.id,
        cause=DUPLICATE,
        status=200,
        detail="",
        method=clean_text(request.method, limit=10),
        remote_address=None if request.address is None else str(request.address),
        delivery_id=clean_text(identify(request).delivery_id or "", limit=255),
        headers=dump_json(storable_headers(request)),
        body=b"",
        received_at=timezone.now(),
        body_size=request.body_size,
        event_id=event_id,
    )


def _hide_secrets(request: WebhookRequest, text: str) -> str:
    """Replace the endpoint's secrets, wherever the sender wrote one."""
    for secret in _secrets_of(request):
        text = text.replace(secret, HIDDEN)
    return text


def _secrets_of(request: WebhookRequest) -> list[str]:
    secrets = [entry["secret"] for entry in request.endpoint.secrets]
    auth = request.auth
    return secrets if auth is None or not auth.value else [*secrets, auth.value]
