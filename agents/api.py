from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from access.callers import caller_of
from access.owner_fields import OwnerField, OwnerGroupsField
from access.policy import visible
from access.serializers import PayloadListSerializer, PayloadSerializer
from agents.access import AGENTS, TASK_PAYLOADS, TASKS, usable_agents
from agents.models import Agent, AgentKind, AgentTask, TaskStatus
from agents.services.agents import AgentNotFound, delete_agent, save_agent
from common.api.lists import AnyCaseChoiceFilter, FlagFilter
from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)
from common.api.views import StrictAPIView


@extend_schema_field(OpenApiTypes.ANY)
class AnyJSONField(serializers.JSONField):
    """Any JSON value, as an agent or a sender wrote it."""


class AgentSerializer(StrictSerializer):
    """An agent in requests and responses.

    A field that a PUT omits gets its default; `config`, which no response contains, and
    the owners keep their stored values.
    """

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=255)
    kind = AnyCaseChoiceField(choices=AgentKind.choices, default=AgentKind.AGENT)
    backend = serializers.CharField(max_length=50)
    config = JSONObjectField(required=False, write_only=True)
    parameters_schema = JSONObjectField(default=dict)
    task_timeout_seconds = serializers.IntegerField(
        default=3600, min_value=1, max_value=86_400
    )
    is_active = serializers.BooleanField(default=True)
    owner = OwnerField()
    owner_groups = OwnerGroupsField()
    owner_lost_at = serializers.DateTimeField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class AgentTaskSerializer(PayloadSerializer[AgentTask]):
    """A task; its parameters and its result are null without the right to payloads."""

    payload_act = TASK_PAYLOADS
    payload_members = ("parameters", "result")

    execution_id = serializers.UUIDField(source="idempotency_key", read_only=True)
    parameters = AnyJSONField(read_only=True)
    metadata = serializers.SerializerMethodField()
    result = AnyJSONField(read_only=True, allow_null=True)

    class Meta:
        model = AgentTask
        list_serializer_class = PayloadListSerializer
        fields = (
            "id", "agent_id", "subject", "execution_id", "task_type", "title", "status",
            "parameters", "metadata", "result", "error", "attempt", "external_id",
            "workflow_id", "run_id", "created_at", "submitted_at", "started_at",
            "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_metadata(self, task: AgentTask) -> dict[str, Any]:
        """Return the origin of the task and the number of its attempt."""
        return {**task.metadata, "attempt": task.attempt}


class AgentFilter(filters.FilterSet):
    name = filters.CharFilter(lookup_expr="icontains")
    kind = AnyCaseChoiceFilter(choices=AgentKind.choices)
    backend = filters.CharFilter()
    is_active = FlagFilter()
    owner = filters.CharFilter(field_name="owner__username")

    class Meta:
        model = Agent
        fields = ()


class TaskFilter(filters.FilterSet):
    agent_id = filters.UUIDFilter(field_name="agent_id")
    execution_id = filters.UUIDFilter(field_name="idempotency_key")
    status = AnyCaseChoiceFilter(choices=TaskStatus.choices)
    task_type = filters.CharFilter()

    class Meta:
        model = AgentTask
        fields = ()


class AgentViewSet(StrictAPIView, GenericViewSet[Agent]):
    serializer_class = AgentSerializer
    acts = AGENTS
    filterset_class = AgentFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Agent]:
        agents = usable_agents(caller_of(self.request)).select_related("owner")
        agents = agents.prefetch_related("owner_groups")
        return agents.defer("config", "owner__password")

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(self._find(pk)).data)

    def create(self, request: Request) -> Response:
        agent = self._save(Agent(), request)
        location = request.build_absolute_uri(f"{request.path}/{agent.id}")
        return Response(
            self.get_serializer(agent).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": location},
        )

    def update(self, request: Request, pk: UUID) -> Response:
        agent = self._save(self._find(pk), request)
        return Response(self.get_serializer(agent).data)

    def partial_update(self, request: Request, pk: UUID) -> Response:
        agent = self._save(self._find(pk), request, partial=True)
        return Response(self.get_serializer(agent).data)

    def destroy(self, request: Request, pk: UUID) -> Response:
        delete_agent(agent_id=self._find(pk).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, agent: Agent, request: Request, *, partial: bool = False) -> Agent:
        serializer = self.get_serializer(data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return save_agent(agent, by=request.user, **serializer.validated_data)

    def _find(self, pk: UUID) -> Agent:
        agent = usable_agents(caller_of(self.request)).filter(pk=pk).first()
        if agent is None:
            raise AgentNotFound
        return agent


class AgentTaskViewSet(StrictAPIView, ReadOnlyModelViewSet[AgentTask]):
    acts = TASKS
    serializer_class = AgentTaskSerializer
    filterset_class = TaskFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[AgentTask]:
        tasks = AgentTask.objects.order_by("-id")
        return visible(tasks, caller_of(self.request))
