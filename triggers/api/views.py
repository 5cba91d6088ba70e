from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from access.callers import Caller, caller_of
from access.permissions import PolicyPermission
from access.policy import Act, visible
from agents.access import usable_agents
from common.api.lists import AnyCaseChoiceFilter, AnyCaseField, FlagFilter
from common.api.views import StrictAPIView
from common.errors import Fault
from triggers.access import CHANGE_TRIGGER, TRIGGERS
from triggers.api.serializers import TriggerSerializer, complete_webhook, read_trigger
from triggers.models import Trigger, TriggerType
from triggers.services import lifecycle


class TriggerTypeFormField(AnyCaseField):
    def to_python(self, value: Any) -> str:
        name = super().to_python(value)
        return TriggerType.CRON.value if name == "schedule" else name


class TriggerTypeFilter(AnyCaseChoiceFilter):
    """A trigger's type in any case; `schedule` is an alias of `cron`."""

    field_class = TriggerTypeFormField


class TriggerFilter(filters.FilterSet):
    name = filters.CharFilter(lookup_expr="icontains")
    agent_id = filters.UUIDFilter(field_name="agent_id")
    endpoint_id = filters.UUIDFilter(field_name="endpoint_id")
    trigger_type = TriggerTypeFilter(choices=TriggerType.choices)
    subject = filters.CharFilter()
    is_active = FlagFilter()
    owner = filters.CharFilter(field_name="owner__username")

    class Meta:
        model = Trigger
        fields = ()


class AgentPermission(BasePermission):
    """Requires access to a trigger's agent to change, enable or run the trigger.

    Disabling and deleting do not require it, as they do not use the agent.
    """

    message = "The agent of this trigger is not accessible to you"

    def has_object_permission(
        self, request: Request, view: APIView, obj: Trigger
    ) -> bool:
        if request.method in SAFE_METHODS:
            return True
        return usable_agents(caller_of(request)).filter(pk=obj.agent_id).exists()


HIDDEN = ("agent__config", "owner__password")


def shown_triggers(caller: Caller) -> QuerySet[Trigger]:
    """Return the triggers that a caller may see, with the related rows of the API."""
    rows = visible(Trigger.objects.present(), caller)
    rows = rows.select_related("agent", "endpoint", "stats", "owner")
    served = Trigger.objects.present().only("endpoint_id", "subject").order_by("id")
    return rows.defer(*HIDDEN).prefetch_related(
        "subscriptions", "owner_groups", Prefetch("endpoint__triggers", served)
    )


class TriggerViewSet(StrictAPIView, GenericViewSet[Trigger]):
    serializer_class = TriggerSerializer
    filterset_class = TriggerFilter
    permission_classes = (PolicyPermission, AgentPermission)
    acts: ClassVar[Mapping[str, Act]] = {
        **TRIGGERS,
        "enable": CHANGE_TRIGGER,
        "disable": CHANGE_TRIGGER,
    }
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Trigger]:
        return shown_triggers(caller_of(self.request))

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self._answer(pk)

    def create(self, request: Request) -> Response:
        given = read_trigger(self._serializer(data=request.data))
        saved = lifecycle.create_trigger(
            fields=given.columns,
            event_types=given.event_types or (),
            webhook=given.webhook,
            created_by=request.user.get_username(),
            by=request.user,
        )
        answer = self._answer(saved.trigger.id, saved, given.warnings)
        answer.status_code = status.HTTP_201_CREATED
        answer["Location"] = request.build_absolute_uri(
            f"{request.path}/{saved.trigger.id}"
        )
        return answer

    def update(self, request: Request, pk: UUID) -> Response:
        """Replace a trigger: a field that the body leaves out gets its default.

        So do the fields of its endpoint, unless that also serves other triggers.
        """
        trigger = self._find(pk)
        given = read_trigger(self._serializer(trigger, data=request.data))
        saved = lifecycle.update_trigger(
            trigger_id=pk,
            fields=given.columns,
            event_types=given.event_types,
            webhook=complete_webhook(given, trigger),
            by=request.user,
        )
        return self._answer(pk, saved, given.warnings)

    def partial_update(self, request: Request, pk: UUID) -> Response:
        trigger = self._find(pk)
        serializer = self._serializer(trigger, data=request.data, partial=True)
        given = read_trigger(serializer)
        saved = lifecycle.update_trigger(
            trigger_id=pk,
            fields=given.columns,
            event_types=given.event_types,
            webhook=given.webhook,
            by=request.user,
        )
        return self._answer(pk, saved, given.warnings)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Delete a trigger; like disabling, this requires no access to its agent."""
        lifecycle.delete_trigger(trigger_id=self._find(pk, with_agent=False).id)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, pk: UUID) -> Response:
        lifecycle.enable_trigger(trigger_id=self._find(pk).id)
        return self._answer(pk)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, pk: UUID) -> Response:
        trigger = self._find(pk, with_agent=False)
        lifecycle.disable_trigger(trigger_id=trigger.id)
        return self._answer(pk)

    def _find(self, pk: UUID, *, with_agent: bool = True) -> Trigger:
        """Return a visible trigger; `with_agent`: one whose agent the caller may use.

        Raises TriggerNotFound or PermissionDenied.
        """
        trigger = self.get_queryset().filter(pk=pk).first()
        if trigger is None:
            raise lifecycle.TriggerNotFound
        if with_agent:
            self.check_object_permissions(self.request, trigger)
        return trigger

    def _serializer(
        self, trigger: Trigger | None = None, **options: Any
    ) -> TriggerSerializer:
        context = self.get_serializer_context()
        return TriggerSerializer(trigger, context=context, **options)

    def _answer(
        self,
        pk: UUID,
        saved: lifecycle.SavedTrigger | None = None,
        warnings: Sequence[Fault] = (),
    ) -> Response:
        """Return the stored trigger, with what only the request that saved it shows."""
        context = {
            **self.get_serializer_context(),
            "webhook_secret": saved.webhook_secret if saved else None,
            "read_as": saved.read_as if saved else None,
            "warnings": warnings,
        }
        trigger = self._find(pk, with_agent=False)
        return Response(TriggerSerializer(trigger, context=context).data)
