"""Makes accepted, rejected and duplicate deliveries."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from events.models import Event
from tests.webhooks.deliveries import deliver
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import Rejection, WebhookEndpoint

URL = "/api/v1/deliveries"


def make_endpoint(**fields: Any) -> WebhookEndpoint:
    return create_endpoint(**fields).endpoint


def accept(endpoint: WebhookEndpoint, body: bytes = b'{"a":1}', **sent: Any) -> Event:
    event_id = deliver(endpoint, body, **sent).json()["event_id"]
    return Event.objects.get(pk=event_id)


def reject(endpoint: WebhookEndpoint, **fields: Any) -> Rejection:
    return Rejection.objects.create(
        **{
            "endpoint": endpoint,
            "cause": "invalid_signature",
            "status": 401,
            "detail": "X-Signature is missing.",
            "method": "POST",
            "headers": {"content-type": "text/plain"},
            "body": b"hello",
            "received_at": timezone.now(),
            **fields,
        }
    )


def repeat(event: Event, endpoint: WebhookEndpoint) -> Rejection:
    return reject(
        endpoint,
        cause="duplicate",
        status=200,
        event_id=event.pk,
        delivery_id=event.delivery_id,
        body=b"",
        body_size=0,
    )


def visitor(*codenames: str) -> APIClient:
    """Return a client with only these permissions."""
    user = User.objects.create_user("ben")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = APIClient()
    client.force_authenticate(user)
    return client
