from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from executions.models import TriggerExecution
from executions.pipeline.outcome import Reason


class ReasonFilter(DropdownFilter):  # type: ignore[misc]  # is untyped
    """By why an execution ended as it did."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(reason.value, reason.value.replace("_", " ")) for reason in Reason]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[TriggerExecution]
    ) -> QuerySet[TriggerExecution]:
        reason = self.value()
        return queryset.filter(reason=reason) if reason else queryset
