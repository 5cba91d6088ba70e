from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.utils import timezone

from common.errors import TickhookError, clean_text, join_faults
from common.fields import dump_json
from common.ids import uuid7
from webhooks.receiver.events import kept_headers
from webhooks.receiver.request import Delivery
from webhooks.rejections.recording import RejectedRequest, record_rejection

KEPT_BODY_BYTES = 16 * 1024
HIDDEN = "[secret]"


@contextmanager
def noted_if_refused(delivery: Delivery) -> Iterator[None]:
    """Have each refusal counted, and some of them kept for people to look at."""
    try:
        yield
    except TickhookError as error:
        note_refusal(delivery, error)
        raise


def note_refusal(delivery: Delivery, error: TickhookError) -> None:
    record_rejection(
        endpoint_id=delivery.endpoint.id,
        cause=error.code,
        is_verified=delivery.is_verified,
        describe=partial(_describe, delivery, error),
    )


def _describe(delivery: Delivery, refusal: TickhookError) -> RejectedRequest:
    address, hide = delivery.address, _Hider(delivery)
    headers = {n: hide.text(v) for n, v in kept_headers(delivery).items()}
    body = _body(delivery)
    return RejectedRequest(
        id=uuid7(),
        endpoint=delivery.endpoint.id,
        cause=refusal.code,
        status=refusal.http_status,
        detail=clean_text(hide.text(_detail(refusal)), limit=2000),
        method=clean_text(delivery.method, limit=10),
        remote_address=None if address is None else str(address),
        delivery_id=clean_text(hide.text(_delivery_id(delivery)), limit=255),
        headers=dump_json(headers),
        body=hide.bytes(body or b"")[:KEPT_BODY_BYTES],
        received_at=timezone.now(),
        body_size=None if body is None else len(body),
    )


def _detail(refusal: TickhookError) -> str:
    return join_faults(refusal.faults, limit=None) or refusal.detail


def _body(delivery: Delivery) -> bytes | None:
    """Return the body if a check has read it: a refusal reads nothing more."""
    body: bytes | None = vars(delivery).get("body")
    return body


def _delivery_id(delivery: Delivery) -> str:
    if "parsed" not in vars(delivery) or "query" not in vars(delivery):
        return ""
    return delivery.identity.delivery_id or ""


class _Hider:
    """Hides an endpoint's secrets, wherever a sender wrote one."""

    def __init__(self, delivery: Delivery) -> None:
        self._secrets = [entry["secret"] for entry in delivery.endpoint.secrets]

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def bytes(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret.encode(), HIDDEN.encode())
        return body
