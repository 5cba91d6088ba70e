from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access.admin.base import VisibleRowsFilter
from access.callers import caller_of
from access.handover import OWNER_FIELDS
from access.owner_forms import OWNER_LABELS, OwnedAdmin
from access.ownership import GRACE
from agents.access import usable_agents
from common.admin.columns import Words, WordsFilter
from common.admin.display import (
    NOTHING,
    badge,
    copyable,
    list_link,
    page_link,
    time_tag,
)
from triggers.admin.display import StateFilter, starts_by, state_of
from triggers.forms import (
    CONDITIONAL_FIELDS,
    NEW_FIELDSETS,
    READONLY_FIELDS,
    TriggerForm,
    fieldsets_of,
)
from triggers.models import Trigger
from triggers.schedules import Dialect
from triggers.services import lifecycle
from triggers.services.validation import warn_of_hourly_limit
from triggers.wording import (
    CATCHUPS,
    CONDITION_ERROR_POLICIES,
    DST_GAPS,
    DST_OVERLAPS,
    LABELS,
    OVERLAPS,
    OWNER_REASONS,
    SCHEDULE_TYPES,
    STATES,
    TRIGGER_TYPES,
)
from webhooks.admin import curl_of
from webhooks.endpoints.urls import webhook_url

READ_AS = {Dialect.AWS: "AWS", Dialect.QUARTZ: "Quartz"}


@admin.register(Trigger)
class TriggerAdmin(OwnedAdmin[Trigger]):
    form = TriggerForm
    words: ClassVar[Mapping[str, Words]] = {
        "trigger_type": TRIGGER_TYPES,
        "schedule_type": SCHEDULE_TYPES,
        "dst_gap": DST_GAPS,
        "dst_overlap": DST_OVERLAPS,
        "catchup": CATCHUPS,
        "overlap": OVERLAPS,
        "on_condition_error": CONDITION_ERROR_POLICIES,
    }
    labels: ClassVar[Mapping[str, str]] = {**LABELS, **OWNER_LABELS}
    empty_text = "No triggers yet. A trigger says what starts an agent, and when."
    id_search_fields = ("pk", "agent_id", "endpoint_id")
    list_display = (
        "name", "status", "starts_by", "agent_name", "last_execution_at",
        "next_run_time", "failures", "executions",
    )  # fmt: skip
    list_filter = (
        StateFilter,
        ("trigger_type", WordsFilter),
        ("agent", VisibleRowsFilter),
        ("endpoint", VisibleRowsFilter),
    )
    list_select_related = ("agent", "endpoint", "stats")
    search_fields = ("name",)
    autocomplete_fields = ("agent", "endpoint", *OWNER_FIELDS)
    readonly_fields = READONLY_FIELDS
    conditional_fields = CONDITIONAL_FIELDS
    actions: tuple[str, ...] = ("enable", "disable")
    change_form_outer_before_template = "admin/tickhook/trigger_actions.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trigger]:
        rows = super().get_queryset(request).prefetch_related("subscriptions")
        usable = usable_agents(caller_of(request)).filter(pk=OuterRef("agent_id"))
        rows = rows.annotate(is_agent_visible=Exists(usable))
        return rows.defer("agent__config", "endpoint__secrets", "endpoint__config")

    def get_fieldsets(self, request: HttpRequest, obj: Trigger | None = None) -> Any:
        if obj is None:
            return NEW_FIELDSETS
        if getattr(obj, "is_agent_visible", True):
            return fieldsets_of(obj)
        return [
            (title, {"fields": ["agent_name" if n == "agent" else n for n in shown]})
            for title, options in fieldsets_of(obj)
            for shown in [options["fields"]]
        ]

    def has_change_permission(
        self, request: HttpRequest, obj: Trigger | None = None
    ) -> bool:
        """Return whether the user may change triggers and use this one's agent."""
        is_allowed = obj is None or (
            obj.deleted_at is None
            and usable_agents(caller_of(request)).filter(pk=obj.agent_id).exists()
        )
        return is_allowed and super().has_change_permission(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: Trigger | None = None
    ) -> bool:
        is_deleted = obj is not None and obj.deleted_at is not None
        return not is_deleted and super().has_delete_permission(request, obj)

    def save_model(
        self,
        request: HttpRequest,
        obj: Trigger,
        form: forms.ModelForm[Trigger],
        change: bool,
    ) -> None:
        """Show what the form's service has stored: the URL, warnings, an expression."""
        if not change and form.cleaned_data.get("max_executions_per_hour") is None:
            for warning in warn_of_hourly_limit(obj.trigger_type):
                messages.warning(request, warning.detail)
        if read_as := getattr(form, "read_as", None):
            messages.info(
                request,
                f"The cron expression was read as {READ_AS[read_as]} writes it, and "
                f"stored as '{obj.cron_expression}' (0 is Sunday).",
            )
        if not change and obj.endpoint is not None:
            messages.info(request, f"Webhook URL: {webhook_url(obj.endpoint)}")
            if secret := getattr(form, "made_secret", None):
                messages.warning(request, f"Secret, shown this once: {secret}")

    def delete_model(self, request: HttpRequest, obj: Trigger) -> None:
        lifecycle.delete_trigger(trigger_id=obj.pk)

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Trigger]
    ) -> None:
        for pk in queryset.filter(deleted_at=None).values_list("pk", flat=True):
            lifecycle.delete_trigger(trigger_id=pk)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """List only the triggers, as deletion keeps their history."""
        return [str(trigger) for trigger in objs], {}, set(), []

    def response_action(  # type: ignore[override]  # the stubs know a later Django
        self, request: HttpRequest, queryset: QuerySet[Trigger]
    ) -> HttpResponse | None:
        """Return to the trigger's page if the action was chosen there."""
        response = super().response_action(request, queryset)
        chosen = request.POST.get("from_page", "")
        if isinstance(response, HttpResponseRedirect) and chosen:
            return HttpResponseRedirect(
                reverse("admin:triggers_trigger_change", args=[chosen])
            )
        return response

    @admin.action(description="Turn on", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        enabled = self.usable_triggers(request, queryset)
        for trigger in enabled:
            lifecycle.enable_trigger(trigger_id=trigger.pk)
        if enabled:
            messages.success(request, "Turned on.")

    @admin.action(description="Turn off", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        reason = f"by {request.user.get_username()}"
        for pk in queryset.filter(deleted_at=None).values_list("pk", flat=True):
            lifecycle.disable_trigger(trigger_id=pk, reason=reason)
        messages.success(request, "Turned off.")

    def usable_triggers(
        self, request: HttpRequest, queryset: QuerySet[Trigger]
    ) -> list[Trigger]:
        """Return the triggers whose agents the user may use; say how many are not."""
        present = queryset.filter(deleted_at=None)
        usable = list(present.filter(agent__in=usable_agents(caller_of(request))))
        if left_out := present.count() - len(usable):
            messages.error(
                request, f"{left_out} left out: you may not use their agents."
            )
        return usable

    @admin.display(description="State", ordering="is_active")
    def status(self, trigger: Trigger) -> SafeString:
        return badge(STATES[state_of(trigger)])

    @admin.display(description="Agent")
    def agent_name(self, trigger: Trigger) -> str:
        is_visible = getattr(trigger, "is_agent_visible", True)
        return trigger.agent.name if is_visible else "not accessible to you"

    @admin.display(description="Why it is off")
    def why_off(self, trigger: Trigger) -> str:
        reason = trigger.disabled_reason
        return OWNER_REASONS.get(reason, reason)

    @admin.display(description="Without an active owner since")
    def owner_lost(self, trigger: Trigger) -> SafeString:
        if trigger.owner_lost_at is None:
            return NOTHING
        since = time_tag(trigger.owner_lost_at)
        if not trigger.is_active:
            return since
        return format_html(
            "{}. After {} days it switches off, unless a member of its owner groups "
            "may use its agent.",
            since,
            GRACE.days,
        )

    @admin.display(description="Started by")
    def starts_by(self, trigger: Trigger) -> str:
        return starts_by(trigger)

    @admin.display(description="Last run", ordering="stats__last_execution_at")
    def last_execution_at(self, trigger: Trigger) -> SafeString:
        return time_tag(trigger.stats.last_execution_at)

    @admin.display(description="Failures", ordering="stats__consecutive_failures")
    def failures(self, trigger: Trigger) -> str:
        count = trigger.stats.consecutive_failures
        if not count:
            return NOTHING
        return f"{count} in a row; it switches off after {trigger.failure_threshold}"

    @admin.display(description="History", ordering="stats__total_executions")
    def executions(self, trigger: Trigger) -> SafeString:
        """Link to what happened, with how often: runs and skips."""
        text = f"{trigger.stats.total_executions:,}"
        model = "executions_triggerexecution"
        return list_link(model, text, trigger__id__exact=trigger.pk)

    @admin.display(description="Results")
    def outcomes(self, trigger: Trigger) -> str:
        stats = trigger.stats
        counts = (
            f"{stats.successful_executions:,} succeeded",
            f"{stats.failed_executions:,} failed",
            f"{stats.skipped_executions:,} skipped",
        )
        return ", ".join(counts) if stats.total_executions else NOTHING

    @admin.display(description="Schedule history")
    def versions(self, trigger: Trigger) -> SafeString:
        model = "triggers_scheduleversion"
        return list_link(model, "earlier schedules", trigger__id__exact=trigger.pk)

    @admin.display(description="Webhook")
    def endpoint_link(self, trigger: Trigger) -> SafeString:
        model = "webhooks_webhookendpoint"
        name = trigger.endpoint and trigger.endpoint.type
        return page_link(model, trigger.endpoint_id, name)

    @admin.display(description="Webhook URL")
    def url(self, trigger: Trigger) -> SafeString:
        assert trigger.endpoint is not None  # noqa: S101 - shown only if there is one
        return copyable(webhook_url(trigger.endpoint))

    @admin.display(description="Try it")
    def curl(self, trigger: Trigger) -> SafeString:
        assert trigger.endpoint is not None  # noqa: S101 - shown only if there is one
        return curl_of(trigger.endpoint)
