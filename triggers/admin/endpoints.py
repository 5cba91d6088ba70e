from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from triggers.services.endpoints import is_open_to
from webhooks.admin import WebhookEndpointAdmin
from webhooks.models import WebhookEndpoint

admin.site.unregister(WebhookEndpoint)


@admin.register(WebhookEndpoint)
class ServingEndpointAdmin(WebhookEndpointAdmin):
    """Endpoints, changed only by those who may use the agents of all they serve."""

    def has_change_permission(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None
    ) -> bool:
        is_allowed = obj is None or is_open_to(request.user, obj.pk)
        return is_allowed and super().has_change_permission(request, obj)
