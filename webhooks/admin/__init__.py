"""The admin pages of endpoints, their types and what they refused."""

from __future__ import annotations

from webhooks.admin import errands, rejections, types
from webhooks.admin.deliveries import DeliveryAdmin
from webhooks.admin.endpoints import WebhookEndpointAdmin, curl_of

__all__ = [
    "DeliveryAdmin",
    "WebhookEndpointAdmin",
    "curl_of",
    "errands",
    "rejections",
    "types",
]
