from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from events.admin import EventAdmin
from events.models import Event
from executions.admin.latest import latest_executions
from executions.models import TriggerExecution

admin.site.unregister(Event)


@admin.register(Event)
class EventWithExecutionsAdmin(EventAdmin):
    """Events, and on their pages what became of them."""

    def get_fieldsets(self, request: HttpRequest, obj: Event | None = None) -> Any:
        first, *rest = super().get_fieldsets(request, obj)
        return (first, ("What became of it", {"fields": ("latest",)}), *rest)

    @admin.display(description="Executions")
    def latest(self, event: Event) -> SafeString:
        return latest_executions(TriggerExecution.objects.filter(event=event))
