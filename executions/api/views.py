from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from common.api.pagination import ExecutionPagination
from common.errors import Fault, InvalidInput
from events.api.views import EventViewSet
from executions.api.filters import SORTABLE, ExecutionFilter
from executions.api.serializers import (
    EventDetailSerializer,
    ExecutionDetailSerializer,
    ExecutionSerializer,
    RunSerializer,
    RunStartedSerializer,
)
from executions.models import TriggerExecution
from executions.services.run import run_trigger
from triggers.models import Trigger


class ExecutionViewSet(ReadOnlyModelViewSet[TriggerExecution]):
    pagination_class = ExecutionPagination
    filterset_class = ExecutionFilter
    lookup_value_converter = "uuid"
    queryset = TriggerExecution.objects.all()

    def get_queryset(self) -> QuerySet[TriggerExecution]:
        rows = TriggerExecution.objects.select_related("trigger", "event", "task")
        rows = rows.defer("event__body", "event__request", "task__result")
        if self.action == "list":
            rows = rows.defer("task__parameters", "task__metadata")
        if trigger_id := self.kwargs.get("trigger_id"):
            rows = rows.filter(trigger_id=trigger_id)
        return rows.order_by(*_order(self.request.query_params))

    def get_serializer_class(self) -> type[ExecutionSerializer]:
        is_list = self.action == "list"
        return ExecutionSerializer if is_list else ExecutionDetailSerializer


class EventWithExecutionsViewSet(EventViewSet):
    """Events, and in the detail what became of them."""

    def get_serializer_class(self) -> Any:
        if self.action == "retrieve":
            return EventDetailSerializer
        return super().get_serializer_class()


class RunView(APIView):
    """Run a trigger now, by hand."""

    queryset = Trigger.objects.all()

    @extend_schema(request=RunSerializer, responses={202: RunStartedSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        serializer = RunSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        event_id = run_trigger(trigger_id=pk, **serializer.validated_data)
        url = reverse("event-detail", kwargs={"pk": event_id}, request=request)
        return Response(
            {"event_id": str(event_id), "status_url": url},
            status=status.HTTP_202_ACCEPTED,
        )


def _order(query: Any) -> tuple[str, str]:
    column = SORTABLE.get(query.get("sort_by", "executed_at"))
    direction = query.get("sort_order", "desc").lower()
    if column is None:
        detail = f"sort_by must be one of: {', '.join(SORTABLE)}"
        raise InvalidInput(detail, faults=[Fault("/sort_by", detail)])
    if direction not in {"asc", "desc"}:
        detail = "sort_order must be asc or desc"
        raise InvalidInput(detail, faults=[Fault("/sort_order", detail)])
    sign = "-" if direction == "desc" else ""
    return f"{sign}{column}", f"{sign}id"
