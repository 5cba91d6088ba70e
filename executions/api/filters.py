from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters

from executions.models import ExecutionStatus, TriggerExecution
from triggers.models import TriggerType

SORTABLE = {
    "executed_at": "executed_at",
    "execution_time_ms": "execution_time_ms",
    "status": "status",
    "trigger_name": "trigger__name",
}


class ExecutionFilter(filters.FilterSet):
    trigger_id = filters.UUIDFilter()
    event_id = filters.UUIDFilter()
    agent_id = filters.UUIDFilter(field_name="trigger__agent_id")
    status = filters.ChoiceFilter(choices=ExecutionStatus.choices)
    trigger_type = filters.ChoiceFilter(
        field_name="trigger__trigger_type", choices=TriggerType.choices
    )
    error_type = filters.CharFilter()
    reason = filters.CharFilter()
    start_date = filters.IsoDateTimeFilter(field_name="executed_at", lookup_expr="gte")
    end_date = filters.IsoDateTimeFilter(field_name="executed_at", lookup_expr="lte")
    start_time = filters.IsoDateTimeFilter(field_name="executed_at", lookup_expr="gte")
    end_time = filters.IsoDateTimeFilter(field_name="executed_at", lookup_expr="lte")

    class Meta:
        model = TriggerExecution
        fields = ()

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(_in_lower_case(data, "status", "trigger_type"), **kwargs)


def _in_lower_case(data: Any, *names: str) -> Any:
    """Choices are written in lower case and read in any."""
    if data is None:
        return None
    lowered = data.copy()
    for name in names:
        if name in lowered:
            lowered[name] = lowered[name].lower()
    return lowered
