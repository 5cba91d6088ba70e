from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import F, OrderBy
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter

from common.api.lists import AnyCaseChoiceFilter, SinceFilter, UntilFilter
from common.errors import Fault, InvalidInput
from executions.models import ExecutionStatus, TriggerExecution
from triggers.api.filters import TriggerTypeFilter
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
    status = AnyCaseChoiceFilter(choices=ExecutionStatus.choices)
    trigger_type = TriggerTypeFilter(
        field_name="trigger__trigger_type", choices=TriggerType.choices
    )
    error_type = filters.CharFilter()
    reason = filters.CharFilter()
    start_date = SinceFilter("executed_at")
    end_date = UntilFilter("executed_at")
    start_time = SinceFilter("executed_at")
    end_time = UntilFilter("executed_at")

    class Meta:
        model = TriggerExecution
        fields = ()


ORDER_PARAMETERS = [
    OpenApiParameter("sort_by", enum=list(SORTABLE), default="executed_at"),
    OpenApiParameter("sort_order", enum=["asc", "desc"], default="desc"),
]


def read_order(query: Mapping[str, str]) -> tuple[OrderBy, OrderBy]:
    """Read `sort_by` and `sort_order` (newest first); raise InvalidInput."""
    column = SORTABLE.get(query.get("sort_by", "executed_at"))
    direction = query.get("sort_order", "desc").lower()
    if column is None:
        raise _unsortable("sort_by", SORTABLE)
    if direction not in {"asc", "desc"}:
        raise _unsortable("sort_order", ("asc", "desc"))
    columns = F(column), F("id")
    if direction == "asc":
        return columns[0].asc(nulls_last=True), columns[1].asc()
    return columns[0].desc(nulls_last=True), columns[1].desc()


def _unsortable(name: str, choices: Iterable[str]) -> InvalidInput:
    detail = f"{name} must be one of: {', '.join(choices)}"
    return InvalidInput(detail, faults=[Fault(f"/{name}", detail)])
