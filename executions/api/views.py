from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import F, OrderBy, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import ReadOnlyModelViewSet

from access.callers import caller_of
from access.permissions import PolicyPermission
from access.policy import Act, may, visible
from common.api.lists import (
    AnyCaseChoiceFilter,
    ExecutionPagination,
    SinceFilter,
    UntilFilter,
)
from common.api.views import StrictAPIView
from common.errors import Fault, InvalidInput
from events.api import EmitSerializer, EmittedSerializer, EventViewSet
from executions.access import EXECUTIONS, RUN, VIEW_EXECUTIONS, VIEW_HEALTH
from executions.api.ledger_serializers import (
    BackfillRequestSerializer,
    BackfillSerializer,
    HealthSerializer,
    LedgerQuerySerializer,
    LedgerSerializer,
    TriggerStatusSerializer,
)
from executions.api.serializers import (
    UNSHOWN,
    EventDetailSerializer,
    ExecutionDetailSerializer,
    ExecutionSerializer,
    RunSerializer,
    RunStartedSerializer,
    executions_as_listed,
)
from executions.models import ExecutionStatus, TriggerExecution
from executions.services.ledger import read_ledger
from executions.services.outcomes import RunOutcome, has_outcome
from executions.services.run import backfill_trigger, run_trigger
from executions.services.status import check_health, read_status
from triggers.access import VIEW_TRIGGER
from triggers.api.views import AgentPermission, TriggerTypeFilter
from triggers.models import Trigger, TriggerType
from triggers.services.lifecycle import TriggerNotFound

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
    outcome = AnyCaseChoiceFilter(choices=RunOutcome.choices, method="with_outcome")
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

    def with_outcome(
        self, rows: QuerySet[TriggerExecution], name: str, value: str
    ) -> QuerySet[TriggerExecution]:
        return rows.filter(has_outcome(RunOutcome(value)))


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


def _listed(request: Request) -> QuerySet[TriggerExecution]:
    """Return the executions that the caller may see, in the requested order."""
    rows = visible(executions_as_listed(), caller_of(request))
    return rows.order_by(*read_order(request.query_params))


def _find_trigger(request: Request, trigger_id: UUID) -> Trigger:
    """Return a trigger that the caller may see; raise TriggerNotFound."""
    triggers = visible(Trigger.objects.present(), caller_of(request))
    trigger = triggers.filter(pk=trigger_id).first()
    if trigger is None:
        raise TriggerNotFound
    return trigger


@extend_schema_view(list=extend_schema(parameters=ORDER_PARAMETERS))
class ExecutionViewSet(StrictAPIView, ReadOnlyModelViewSet[TriggerExecution]):
    acts = EXECUTIONS
    pagination_class = ExecutionPagination
    filterset_class = ExecutionFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[TriggerExecution]:
        if self.action == "list":
            return _listed(self.request)
        rows = TriggerExecution.objects.select_related("trigger", "event", "task")
        return visible(rows.defer(*UNSHOWN), caller_of(self.request))

    def get_serializer_class(self) -> type[ExecutionSerializer]:
        is_list = self.action == "list"
        return ExecutionSerializer if is_list else ExecutionDetailSerializer


class ExecutionsOfTriggerView(StrictAPIView, ListAPIView[TriggerExecution]):
    """The executions of one trigger."""

    queryset = TriggerExecution.objects.all()
    acts: ClassVar[Mapping[str, Act]] = {"get": VIEW_EXECUTIONS}
    serializer_class = ExecutionSerializer
    pagination_class = ExecutionPagination
    filterset_class = ExecutionFilter

    def get_queryset(self) -> QuerySet[TriggerExecution]:
        return _listed(self.request).filter(trigger_id=self.kwargs["pk"])

    @extend_schema(parameters=ORDER_PARAMETERS)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        _find_trigger(request, kwargs["pk"])
        return super().get(request, *args, **kwargs)


class EventWithExecutionsViewSet(EventViewSet):
    """Events; the detail of each shows its executions."""

    @extend_schema(request=EmitSerializer, responses={201: EmittedSerializer})
    def create(self, request: Request) -> Response:
        response = super().create(request)
        if not may(caller_of(request), VIEW_EXECUTIONS):
            response.data["triggered_workflows"] = None
        return response

    def get_serializer_class(self) -> Any:
        if self.action == "retrieve":
            return EventDetailSerializer
        return super().get_serializer_class()


class RunView(StrictAPIView):
    """Run a trigger now, by hand."""

    acts: ClassVar[Mapping[str, Act]] = {"post": RUN}
    permission_classes = (PolicyPermission, AgentPermission)

    @extend_schema(request=RunSerializer, responses={202: RunStartedSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        self.check_object_permissions(request, _find_trigger(request, pk))
        serializer = RunSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        event_id = run_trigger(trigger_id=pk, **serializer.validated_data)
        url = reverse("event-detail", kwargs={"pk": event_id}, request=request)
        return Response(
            {"event_id": str(event_id), "status_url": url},
            status=status.HTTP_202_ACCEPTED,
        )


class LedgerView(StrictAPIView):
    """The ledger: the result of each scheduled occurrence of a trigger."""

    acts: ClassVar[Mapping[str, Act]] = {"get": VIEW_EXECUTIONS}

    @extend_schema(
        parameters=[LedgerQuerySerializer], responses={200: LedgerSerializer}
    )
    def get(self, request: Request, pk: UUID) -> Response:
        # `format` selects the renderer.
        parameters = {n: v for n, v in request.query_params.items() if n != "format"}
        query = LedgerQuerySerializer(data=parameters)
        query.is_valid(raise_exception=True)
        trigger = _find_trigger(request, pk)
        ledger = read_ledger(trigger_id=trigger.pk, **query.validated_data)
        return Response(LedgerSerializer(ledger).data)


class BackfillView(StrictAPIView):
    """Run past occurrences that have no event."""

    acts: ClassVar[Mapping[str, Act]] = {"post": RUN}
    permission_classes = (PolicyPermission, AgentPermission)

    @extend_schema(
        request=BackfillRequestSerializer,
        responses={200: BackfillSerializer, 202: BackfillSerializer},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Answer 202 with the recorded numbers, or 200 with those of a dry run."""
        self.check_object_permissions(request, _find_trigger(request, pk))
        body = BackfillRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        backfill = backfill_trigger(trigger_id=pk, **body.validated_data)
        code = status.HTTP_200_OK if backfill.dry_run else status.HTTP_202_ACCEPTED
        return Response(BackfillSerializer(backfill).data, status=code)


class TriggerStatusView(StrictAPIView):
    """The status of a trigger; its errors are shown to users who may see executions."""

    acts: ClassVar[Mapping[str, Act]] = {"get": VIEW_TRIGGER}

    @extend_schema(responses={200: TriggerStatusSerializer})
    def get(self, request: Request, pk: UUID) -> Response:
        state = read_status(trigger_id=_find_trigger(request, pk).pk)
        if not may(caller_of(request), VIEW_EXECUTIONS):
            state = replace(state, last_failure=None)
        return Response(TriggerStatusSerializer(state).data)


class TriggerHealthView(StrictAPIView):
    """Whether triggers come due in time: 503 while the clock is not running."""

    acts: ClassVar[Mapping[str, Act]] = {"get": VIEW_HEALTH}

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request: Request) -> Response:
        health = check_health()
        return Response(
            HealthSerializer(health).data, status=200 if health.is_healthy else 503
        )
