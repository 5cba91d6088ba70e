from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest

from triggers.services.endpoints import are_open_to, is_open_to
from webhooks.admin import DeliveryAdmin, WebhookEndpointAdmin
from webhooks.models import Delivery, WebhookEndpoint

admin.site.unregister(WebhookEndpoint)


@admin.register(WebhookEndpoint)
class ServingEndpointAdmin(WebhookEndpointAdmin):
    """Endpoints, changed only by those who may use the agents of all they serve."""

    def has_change_permission(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None
    ) -> bool:
        is_allowed = obj is None or is_open_to(request.user, obj.pk)
        return is_allowed and super().has_change_permission(request, obj)


admin.site.unregister(Delivery)


@admin.register(Delivery)
class ServedDeliveryAdmin(DeliveryAdmin):
    """Deliveries, made anew only by those who may use all agents that hear of them."""

    def is_open_to(self, request: HttpRequest, endpoint_ids: Set[UUID | None]) -> bool:
        return are_open_to(request.user, endpoint_ids)
