from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.test import Client

from events.models import Event, Inbox
from webhooks.models import WebhookEndpoint

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer


def deliver(
    endpoint: WebhookEndpoint,
    body: bytes = b'{"a":1}',
    *,
    method: str = "POST",
    content_type: str = "application/json",
    query: str = "",
    **headers: str,
) -> Answer:
    """Send a request to an endpoint; header names with `_` for `-`."""
    sent: dict[str, Any] = {name.replace("_", "-"): v for name, v in headers.items()}
    return Client().generic(
        method,
        f"/webhooks/{endpoint.webhook_id}{query}",
        body,
        content_type,
        headers=sent,
    )


def assert_nothing_happened() -> None:
    assert not Event.objects.exists()
    assert not Inbox.objects.exists()
