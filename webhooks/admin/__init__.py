"""The admin pages of endpoints, webhook types and deliveries."""

from __future__ import annotations

from webhooks.admin import records, types
from webhooks.admin.deliveries import DeliveryAdmin
from webhooks.admin.endpoints import WebhookEndpointAdmin, curl_of

__all__ = ["DeliveryAdmin", "WebhookEndpointAdmin", "curl_of", "records", "types"]
