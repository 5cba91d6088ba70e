from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.admin.display import page_link
from common.errors import TickhookError
from executions.admin.latest import latest_executions
from executions.admin.ledger import latest_ledger
from executions.models import TriggerExecution
from executions.services.run import run_trigger
from triggers.admin import TriggerAdmin
from triggers.models import Trigger

admin.site.unregister(Trigger)


@admin.register(Trigger)
class RunnableTriggerAdmin(TriggerAdmin):
    """Triggers, with their latest executions and a button that starts one."""

    actions = ("run_now", *TriggerAdmin.actions)
    change_form_outer_before_template = "admin/tickhook/runnable_trigger_actions.html"

    def get_fieldsets(self, request: HttpRequest, obj: Trigger | None = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        first, *rest = super().get_fieldsets(request, obj)
        shown = [("Latest executions", {"fields": ("latest",)})]
        if obj.has_schedule and obj.deleted_at is None:
            shown.append(("Ledger", {"fields": ("ledger",)}))
        return (first, *shown, *rest)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Trigger | None = None
    ) -> Any:
        return (*super().get_readonly_fields(request, obj), "latest", "ledger")

    @admin.display(description="Executions")
    def latest(self, trigger: Trigger) -> SafeString:
        return latest_executions(TriggerExecution.objects.filter(trigger=trigger))

    @admin.display(description="Occurrences")
    def ledger(self, trigger: Trigger) -> SafeString:
        return latest_ledger(trigger)

    @admin.action(description="Run now", permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        for trigger in self.usable_triggers(request, queryset):
            try:
                event_id = run_trigger(trigger_id=trigger.pk)
            except TickhookError as error:
                messages.error(request, error.detail)
                continue
            event = page_link("events_event", event_id, "its event")
            text = "{} is asked to run: {}"
            messages.success(request, format_html(text, trigger.name, event))
