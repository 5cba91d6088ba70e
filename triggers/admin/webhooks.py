"""The admin of endpoints and deliveries, limited by the triggers that they serve."""

from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from access.callers import caller_of
from triggers.models import Trigger
from triggers.services.endpoints import closed_endpoints, is_open_to
from webhooks.admin import DeliveryAdmin, WebhookEndpointAdmin
from webhooks.models import Delivery, WebhookEndpoint

admin.site.unregister((WebhookEndpoint, Delivery))


@admin.register(WebhookEndpoint)
class EndpointOfTriggersAdmin(WebhookEndpointAdmin):
    """Endpoints; a change requires access to the agents of all their triggers."""

    def title_of(self, row: WebhookEndpoint) -> str:
        """Return the sender and what it starts: GitHub for Nightly push."""
        sender = super().title_of(row)
        triggers = Trigger.objects.present().filter(
            endpoint_id=row.pk, subject=row.subject
        )
        names = list(triggers.values_list("name", flat=True))
        if not names:
            return sender
        served = names[0] if len(names) == 1 else f"{len(names)} triggers"
        return f"{sender} for {served}"

    def empty_link(self, request: HttpRequest) -> tuple[str, str] | None:
        if not request.user.has_perm("triggers.add_trigger"):
            return None
        return "Create one", reverse("admin:triggers_trigger_add")

    def has_change_permission(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None
    ) -> bool:
        is_allowed = obj is None or is_open_to(caller_of(request), obj.pk)
        return is_allowed and super().has_change_permission(request, obj)


@admin.register(Delivery)
class DeliveryOfTriggersAdmin(DeliveryAdmin):
    """Deliveries; redelivery requires access to the agents of all their triggers."""

    def closed_endpoints(
        self, request: HttpRequest, endpoint_ids: Set[UUID | None]
    ) -> Set[UUID | None]:
        return closed_endpoints(caller_of(request), endpoint_ids)
