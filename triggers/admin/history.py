from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from access.admin.base import HistoryAdmin, VisibleRowsFilter
from common.admin.display import json_block, page_link
from triggers.models import (
    ScheduleVersion,
    StatsDelta,
    Subscription,
    Trigger,
    TriggerStats,
)


@admin.register(ScheduleVersion)
class ScheduleVersionAdmin(HistoryAdmin[ScheduleVersion]):
    labels: ClassVar[Mapping[str, str]] = {"is_active": "On"}
    time_column = "valid_from"
    list_display = ("valid_from", "valid_to", "trigger_link", "is_active")
    list_filter = (("trigger", VisibleRowsFilter), "is_active")
    list_select_related = ("trigger",)
    search_fields = ("trigger__name",)
    fields = (
        "trigger_link", "is_active", "valid_from", "valid_to", "definition_json", "id",
    )  # fmt: skip
    readonly_fields = ("trigger_link", "definition_json")

    @admin.display(description="Trigger")
    def trigger_link(self, version: ScheduleVersion) -> SafeString:
        return page_link("triggers_trigger", version.trigger_id, version.trigger)

    @admin.display(description="Definition")
    def definition_json(self, version: ScheduleVersion) -> SafeString:
        return json_block(version.definition)


@admin.register(TriggerStats)
class TriggerStatsAdmin(HistoryAdmin[TriggerStats]):
    labels: ClassVar[Mapping[str, str]] = {
        "total_executions": "In all",
        "successful_executions": "Succeeded",
        "failed_executions": "Failed",
        "skipped_executions": "Skipped",
        "execution_time_ms_sum": "Took in all",
        "last_execution_at": "Last",
        "consecutive_failures": "Failures in a row",
    }
    list_display = (
        "trigger", "total_executions", "successful_executions", "failed_executions",
        "skipped_executions", "consecutive_failures", "last_execution_at",
    )  # fmt: skip
    list_select_related = ("trigger",)
    search_fields = ("trigger__name",)
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TriggerStats]:
        return super().get_queryset(request).select_related("trigger")


@admin.register(StatsDelta)
class StatsDeltaAdmin(HistoryAdmin[StatsDelta]):
    labels: ClassVar[Mapping[str, str]] = {
        "total": "In all",
        "successful": "Succeeded",
        "execution_time_ms_sum": "Took in all",
        "last_execution_at": "Last",
    }
    id_search_fields = ("trigger_id",)
    list_display = (
        "trigger_link", "total", "successful", "failed", "skipped",
        "last_execution_at",
    )  # fmt: skip
    ordering = ("-pk",)

    def title_of(self, row: StatsDelta) -> str:
        trigger = Trigger.objects.filter(pk=row.trigger_id).first()
        return f"{trigger}: {row}" if trigger else str(row)

    @admin.display(description="Trigger")
    def trigger_link(self, delta: StatsDelta) -> SafeString:
        return page_link("triggers_trigger", delta.trigger_id, "its trigger")


@admin.register(Subscription)
class SubscriptionAdmin(HistoryAdmin[Subscription]):
    id_search_fields = ("trigger_id",)
    list_display = ("pattern", "subject", "trigger_link")
    list_filter = (("trigger", VisibleRowsFilter),)
    list_select_related = ("trigger",)
    search_fields = ("pattern__istartswith", "trigger__name")
    ordering = ("pattern", "pk")

    @admin.display(description="Trigger")
    def trigger_link(self, subscription: Subscription) -> SafeString:
        trigger = subscription.trigger
        return page_link("triggers_trigger", trigger.pk, trigger)
