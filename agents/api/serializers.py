from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import AgentKind, AgentTask
from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)


@extend_schema_field(OpenApiTypes.ANY)
class AnyJSONField(serializers.JSONField):
    """Any JSON value, as an agent or a sender wrote it."""


class AgentSerializer(StrictSerializer):
    """An agent as the API shows and takes it.

    What a full body leaves out has the default named here; `config`, which can't be
    read back, stays as it is.
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
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class AgentTaskSerializer(serializers.ModelSerializer[AgentTask]):
    execution_id = serializers.UUIDField(source="idempotency_key", read_only=True)
    parameters = AnyJSONField(read_only=True)
    metadata = serializers.SerializerMethodField()
    result = AnyJSONField(read_only=True, allow_null=True)

    class Meta:
        model = AgentTask
        fields = (
            "id", "agent_id", "execution_id", "task_type", "title", "status",
            "parameters", "metadata", "result", "error", "attempt", "external_id",
            "workflow_id", "run_id", "created_at", "submitted_at", "started_at",
            "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_metadata(self, task: AgentTask) -> dict[str, Any]:
        """What led to the task, and the attempt that it is in."""
        return {**task.metadata, "attempt": task.attempt}
