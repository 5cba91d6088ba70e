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

AnyJSON = extend_schema_field(OpenApiTypes.ANY)(serializers.JSONField)


class AgentSerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=255)
    kind = AnyCaseChoiceField(choices=AgentKind.choices, required=False)
    backend = serializers.CharField(max_length=50)
    config = JSONObjectField(required=False, write_only=True)
    parameters_schema = JSONObjectField(required=False)
    task_timeout_seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=86_400
    )
    is_active = serializers.BooleanField(required=False)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class AgentTaskSerializer(serializers.ModelSerializer[AgentTask]):
    execution_id = serializers.UUIDField(source="idempotency_key", read_only=True)
    parameters: Any = AnyJSON(read_only=True)
    metadata: Any = AnyJSON(read_only=True)
    result: Any = AnyJSON(read_only=True, allow_null=True)

    class Meta:
        model = AgentTask
        fields = (
            "id", "agent_id", "execution_id", "task_type", "title", "status",
            "parameters", "metadata", "result", "error", "attempt", "external_id",
            "workflow_id", "run_id", "created_at", "submitted_at", "started_at",
            "finished_at",
        )  # fmt: skip
        read_only_fields = fields
