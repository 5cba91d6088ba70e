from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from common.api.defaults import ChangePermissions
from common.api.lists import ExecutionPagination
from events.api.views import EventViewSet
from executions.api.filters import ORDER_PARAMETERS, ExecutionFilter, read_order
from executions.api.serializers import (
    UNSHOWN,
    EventDetailSerializer,
    ExecutionDetailSerializer,
    ExecutionSerializer,
    RunSerializer,
    RunStartedSerializer,
    executions_as_listed,
)
from executions.models import TriggerExecution
from executions.services.run import run_trigger
from triggers.api.permissions import AgentPermission
from triggers.models import Trigger
from triggers.services.lifecycle import TriggerNotFound


@extend_schema_view(list=extend_schema(parameters=ORDER_PARAMETERS))
class ExecutionViewSet(ReadOnlyModelViewSet[TriggerExecution]):
    pagination_class = ExecutionPagination
    filterset_class = ExecutionFilter
    lookup_value_converter = "uuid"
    queryset = TriggerExecution.objects.all()

    def get_queryset(self) -> QuerySet[TriggerExecution]:
        if self.action == "list":
            return _listed(self.request)
        rows = TriggerExecution.objects.select_related("trigger", "event", "task")
        return rows.defer(*UNSHOWN)

    def get_serializer_class(self) -> type[ExecutionSerializer]:
        is_list = self.action == "list"
        return ExecutionSerializer if is_list else ExecutionDetailSerializer


class ExecutionsOfTriggerView(ListAPIView[TriggerExecution]):
    """The executions of one trigger."""

    queryset = TriggerExecution.objects.all()
    serializer_class = ExecutionSerializer
    pagination_class = ExecutionPagination
    filterset_class = ExecutionFilter

    def get_queryset(self) -> QuerySet[TriggerExecution]:
        return _listed(self.request).filter(trigger_id=self.kwargs["pk"])

    @extend_schema(parameters=ORDER_PARAMETERS)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        find_trigger(kwargs["pk"])
        return super().get(request, *args, **kwargs)


class EventWithExecutionsViewSet(EventViewSet):
    """Events, and in the detail what became of them."""

    def get_serializer_class(self) -> Any:
        if self.action == "retrieve":
            return EventDetailSerializer
        return super().get_serializer_class()


class RunView(APIView):
    """Run a trigger now, by hand."""

    queryset = Trigger.objects.all()
    permission_classes = (ChangePermissions, AgentPermission)

    @extend_schema(request=RunSerializer, responses={202: RunStartedSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        self.check_object_permissions(request, find_trigger(pk))
        serializer = RunSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        event_id = run_trigger(trigger_id=pk, **serializer.validated_data)
        url = reverse("event-detail", kwargs={"pk": event_id}, request=request)
        return Response(
            {"event_id": str(event_id), "status_url": url},
            status=status.HTTP_202_ACCEPTED,
        )


def _listed(request: Request) -> QuerySet[TriggerExecution]:
    """Return executions as a list shows them, in the order that was asked for."""
    return executions_as_listed().order_by(*read_order(request.query_params))


def find_trigger(pk: UUID) -> Trigger:
    """Return a trigger that nobody has deleted; raise TriggerNotFound."""
    trigger = Trigger.objects.present().filter(pk=pk).first()
    if trigger is None:
        raise TriggerNotFound
    return trigger
