from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
)

from common.admin.base import HistoryAdmin
from common.admin.display import (
    NOTHING,
    badge,
    json_block,
    page_link,
    short_id,
    text_block,
)
from executions.admin.filters import ReasonFilter
from executions.models import DrainLease, ExecutionTrace, TriggerExecution


@admin.register(TriggerExecution)
class TriggerExecutionAdmin(HistoryAdmin[TriggerExecution]):
    id_search_fields = ("pk", "trigger_id", "event_id", "task_id", "replay_of")
    list_display = (
        "short_id", "executed_at", "status_badge", "reason", "trigger_link",
        "event_link", "task_link", "execution_time_ms", "attempt", "error_type",
    )  # fmt: skip
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ReasonFilter,
        ("trigger", AutocompleteSelectFilter),
        ("trigger__trigger_type", ChoicesDropdownFilter),
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
                    "id", "status_badge", "reason", "trigger_link", "event_link",
                    "task_link", "replay_of",
                )
            },
        ),
        ("What went wrong", {"fields": ("error_type", "error_text")}),
        ("How it was judged", {"fields": ("trace_json",)}),
        ("What the task was given", {"fields": ("parameters_json",)}),
        (
            "How it went",
            {
                "fields": (
                    "executed_at", "execution_time_ms", "attempt", "next_attempt_at",
                    "trigger_version", "worker", "workflow_id", "run_id",
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

    @admin.display(description="Execution", ordering="id")
    def short_id(self, execution: TriggerExecution) -> str:
        return short_id(execution.pk)

    @admin.display(description="Status", ordering="status")
    def status_badge(self, execution: TriggerExecution) -> SafeString:
        return badge(execution.status)

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
        return page_link("agents_agenttask", task.pk, task.status)

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
        """They are kept with the task, or here where none was created."""
        task = execution.task
        return json_block(task.parameters if task else execution.parameters)


@admin.register(ExecutionTrace)
class ExecutionTraceAdmin(HistoryAdmin[ExecutionTrace]):
    list_display = ("execution_link",)
    search_fields = ("execution__trigger__name",)
    ordering = ("-pk",)
    fields = ("execution_link", "trace_json")
    readonly_fields = ("execution_link", "trace_json")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExecutionTrace]:
        return super().get_queryset(request).defer("trace")

    @admin.display(description="Execution")
    def execution_link(self, trace: ExecutionTrace) -> SafeString:
        return page_link("executions_triggerexecution", trace.pk)

    @admin.display(description="Trace")
    def trace_json(self, trace: ExecutionTrace) -> SafeString:
        return json_block(trace.trace)


@admin.register(DrainLease)
class DrainLeaseAdmin(HistoryAdmin[DrainLease]):
    list_display = ("worker", "created_at", "events")
    search_fields = ("worker",)
    ordering = ("-pk",)

    @admin.display(description="Events")
    def events(self, lease: DrainLease) -> int:
        return len(lease.event_ids)
