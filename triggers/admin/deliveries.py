from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest

from triggers.services.endpoints import are_open_to
from webhooks.admin import DeliveryAdmin
from webhooks.models import Delivery

admin.site.unregister(Delivery)


@admin.register(Delivery)
class ServedDeliveryAdmin(DeliveryAdmin):
    """Deliveries, made anew only by those who may use all agents that hear of them."""

    def is_open_to(self, request: HttpRequest, endpoint_ids: Set[UUID | None]) -> bool:
        return are_open_to(request.user, endpoint_ids)
