from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter

from access.admin.base import HistoryAdmin, VisibleRowsFilter
from access.callers import caller_of
from access.policy import may, visible
from agents.wording import TASK_STATUSES
from common.admin.columns import Words, WordsFilter
from common.admin.display import (
    NOTHING,
    json_block,
    page_link,
    text_block,
    time_tag,
    word,
)
from common.errors import TickhookError
from events.admin import EventAdmin
from events.models import Event
from executions.access import RUN
from executions.admin_tables import hourly_use, latest_executions, latest_ledger
from executions.models import DrainLease, ExecutionTrace, TriggerExecution
from executions.services.run import run_trigger
from executions.wording import EXECUTION_STATUSES, REASONS
from triggers.admin import TriggerAdmin
from triggers.models import Trigger
from triggers.wording import TRIGGER_TYPES


class ReasonFilter(DropdownFilter):  # type: ignore[misc]  # is untyped
    """Filters executions by the reason of their status."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(REASONS.items())

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[TriggerExecution]
    ) -> QuerySet[TriggerExecution]:
        reason = self.value()
        return queryset.filter(reason=reason) if reason else queryset


@admin.register(TriggerExecution)
class TriggerExecutionAdmin(HistoryAdmin[TriggerExecution]):
    words: ClassVar[Mapping[str, Words]] = {
        "status": EXECUTION_STATUSES,
        "reason": REASONS,
        "trigger__trigger_type": TRIGGER_TYPES,
    }
    id_search_fields = ("pk", "trigger_id", "event_id", "task_id", "replay_of")
    labels: ClassVar[Mapping[str, str]] = {
        "executed_at": "Time",
        "execution_time_ms": "Its batch took",
        "next_attempt_at": "Next attempt",
        "trigger_version": "Version of the trigger",
        "error_type": "Kind of error",
        "trigger__trigger_type": "what starts the trigger",
    }
    payload_fields = ("parameters_json",)
    time_column = "executed_at"
    empty_text = "Nothing has happened yet. Each run and each skip appears here."
    list_display = (
        "trigger", "executed_at", "status", "reason", "event_link", "task_link",
        "execution_time_ms", "error_type",
    )  # fmt: skip
    list_filter = (
        ("status", WordsFilter),
        ReasonFilter,
        ("trigger", VisibleRowsFilter),
        ("trigger__trigger_type", WordsFilter),
        ("executed_at", RangeDateTimeFilter),
    )
    search_fields = ("trigger__name", "error_type")
    search_help_text = "A trigger's name, a kind of error, or any id"
    list_select_related = ("trigger", "event", "task")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "status", "reason", "trigger_link", "event_link", "task_link",
                    "replay_link",
                )
            },
        ),
        ("Error", {"fields": ("error_type", "error_text")}),
        ("Conditions", {"fields": ("trace_json",)}),
        ("Parameters", {"fields": ("parameters_json",)}),
        (
            "Facts",
            {
                "fields": (
                    "executed_at", "execution_time_ms", "attempt", "next_attempt_at",
                    "trigger_version", "worker", "id", "workflow_id", "run_id",
                )
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[TriggerExecution]:
        return super().get_queryset(request).defer(
            "parameters", "error_message", "event__body", "event__request",
            "event__options", "task__parameters", "task__metadata", "task__result",
            "task__error", "trigger__conditions", "trigger__task_parameters",
            "trigger__parameter_mapping",
        )  # fmt: skip

    @admin.display(description="Trigger")
    def trigger_link(self, execution: TriggerExecution) -> SafeString:
        return page_link("triggers_trigger", execution.trigger_id, execution.trigger)

    @admin.display(description="Event")
    def event_link(self, execution: TriggerExecution) -> SafeString:
        return page_link("events_event", execution.event_id, execution.event.type)

    @admin.display(description="Task")
    def task_link(self, execution: TriggerExecution) -> SafeString:
        task = execution.task
        if task is None:
            return NOTHING
        return page_link("agents_agenttask", task.pk, word(task.status, TASK_STATUSES))

    @admin.display(description="Replay of")
    def replay_link(self, execution: TriggerExecution) -> SafeString:
        model = "executions_triggerexecution"
        return page_link(model, execution.replay_of, "what happened first")

    @admin.display(description="Error")
    def error_text(self, execution: TriggerExecution) -> SafeString:
        text = execution.error_message
        return text_block(text) if text else NOTHING

    @admin.display(description="Trace")
    def trace_json(self, execution: TriggerExecution) -> SafeString:
        found = ExecutionTrace.objects.filter(pk=execution.pk).first()
        return json_block(found.trace if found else None)

    @admin.display(description="Parameters")
    def parameters_json(self, execution: TriggerExecution) -> SafeString:
        """Show the task's parameters, or those kept here if no task was created."""
        task = execution.task
        return json_block(task.parameters if task else execution.parameters)


@admin.register(ExecutionTrace)
class ExecutionTraceAdmin(HistoryAdmin[ExecutionTrace]):
    list_display = ("trigger_name", "executed_at", "execution_link")
    search_fields = ("execution__trigger__name",)
    ordering = ("-pk",)
    fields = ("execution_link", "trace_json")
    readonly_fields = ("execution_link", "trace_json")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExecutionTrace]:
        rows = super().get_queryset(request).select_related("execution__trigger")
        return rows.defer("trace")

    @admin.display(description="Trigger")
    def trigger_name(self, trace: ExecutionTrace) -> str:
        return trace.execution.trigger.name

    @admin.display(description="At")
    def executed_at(self, trace: ExecutionTrace) -> SafeString:
        return time_tag(trace.execution.executed_at)

    @admin.display(description="History")
    def execution_link(self, trace: ExecutionTrace) -> SafeString:
        return page_link("executions_triggerexecution", trace.pk, "what happened")

    @admin.display(description="Trace")
    def trace_json(self, trace: ExecutionTrace) -> SafeString:
        return json_block(trace.trace)


@admin.register(DrainLease)
class DrainLeaseAdmin(HistoryAdmin[DrainLease]):
    time_column = "created_at"
    list_display = ("worker", "created_at", "events")
    search_fields = ("worker",)
    ordering = ("-pk",)

    @admin.display(description="Events")
    def events(self, lease: DrainLease) -> int:
        return len(lease.event_ids)


def shown_executions(request: HttpRequest, **of: Model) -> QuerySet[TriggerExecution]:
    """Return the executions of a row that the user of a page may see."""
    return visible(TriggerExecution.objects.filter(**of), caller_of(request))


admin.site.unregister(Event)


@admin.register(Event)
class EventWithExecutionsAdmin(EventAdmin):
    """Events, with their executions on the page of each."""

    def get_fieldsets(self, request: HttpRequest, obj: Event | None = None) -> Any:
        first, *rest = super().get_fieldsets(request, obj)
        return (first, ("Led to", {"fields": ("latest",)}), *rest)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Event | None:
        """Return an event with those of its executions that the user may see."""
        event = super().get_object(request, object_id, from_field)
        if event is not None:
            event.shown_executions = shown_executions(request, event=event)  # type: ignore[attr-defined]  # for the page
        return event

    @admin.display(description="Latest")
    def latest(self, event: Event) -> SafeString:
        return latest_executions(event.shown_executions)  # type: ignore[attr-defined]  # see get_object


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
        is_limited = obj.max_executions_per_hour is not None
        history = ("hourly_limit", "latest") if is_limited else ("latest",)
        shown: list[Any] = [("History", {"fields": history})]
        if obj.has_schedule and obj.deleted_at is None:
            shown.append(("Schedule", {"fields": ("ledger",)}))
        return (first, *shown, *rest)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Trigger | None = None
    ) -> Any:
        own = ("latest", "ledger", "hourly_limit")
        return (*super().get_readonly_fields(request, obj), *own)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Trigger | None:
        """Return a trigger with those of its executions that the user may see."""
        trigger = super().get_object(request, object_id, from_field)
        if trigger is not None:
            trigger.shown_executions = shown_executions(request, trigger=trigger)  # type: ignore[attr-defined]  # for the page
        return trigger

    @admin.display(description="Latest")
    def latest(self, trigger: Trigger) -> SafeString:
        return latest_executions(trigger.shown_executions)  # type: ignore[attr-defined]  # see get_object

    @admin.display(description="Hourly limit")
    def hourly_limit(self, trigger: Trigger) -> SafeString:
        return hourly_use(trigger)

    @admin.display(description="Occurrences")
    def ledger(self, trigger: Trigger) -> SafeString:
        return latest_ledger(trigger)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Trigger | None = None,
    ) -> HttpResponse:
        uses_agent = getattr(obj, "is_agent_visible", False)
        context["may_run"] = uses_agent and self.has_run_permission(request)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def has_run_permission(self, request: HttpRequest) -> bool:
        return may(caller_of(request), RUN)

    @admin.action(description="Run now", permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        for trigger in self.usable_triggers(request, queryset):
            try:
                event_id = run_trigger(trigger_id=trigger.pk)
            except TickhookError as error:
                messages.error(request, error.detail)
                continue
            event = page_link("events_event", event_id, "event")
            text = "{} will run: {}"
            messages.success(request, format_html(text, trigger.name, event))
