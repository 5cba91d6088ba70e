from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import JSONObjectField, StrictSerializer
from events.api.serializers import EVENT_FIELDS, EventSerializer
from events.models import Event
from executions.models import ExecutionTrace, TriggerExecution

VIEW_EXECUTIONS = "executions.view_triggerexecution"
LISTED: tuple[str, ...] = (
    "id", "trigger_id", "trigger_name", "trigger_type", "event_id", "status",
    "reason", "executed_at", "execution_time_ms", "attempt", "task_id",
    "task_status", "error_type", "error_message", "trigger_data",
    "trigger_version", "workflow_id", "run_id", "replay_of",
)  # fmt: skip


class ExecutionSerializer(serializers.ModelSerializer[TriggerExecution]):
    """An execution in a list."""

    trigger_name = serializers.CharField(source="trigger.name")
    trigger_type = serializers.CharField(source="trigger.trigger_type")
    task_status = serializers.CharField(source="task.status", default=None)
    trigger_data = serializers.SerializerMethodField()

    class Meta:
        model = TriggerExecution
        fields = LISTED
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_trigger_data(self, execution: TriggerExecution) -> dict[str, Any]:
        """What the event says of itself; its body is at the event's own address."""
        event = execution.event
        return {
            "event_type": event.type,
            "source": event.source,
            "subject": event.subject,
            "received_at": event.received_at,
            "scheduled_for": event.scheduled_for,
            "delivery_id": event.delivery_id,
        }


class ExecutionDetailSerializer(ExecutionSerializer):
    """One execution with its parameters and how its conditions were judged."""

    parameters = serializers.SerializerMethodField()
    trace = serializers.SerializerMethodField()
    worker = serializers.CharField()

    class Meta(ExecutionSerializer.Meta):
        fields = (*LISTED, "parameters", "trace", "worker")
        read_only_fields = fields

    def get_parameters(self, execution: TriggerExecution) -> Any:
        """What the task was given; kept here only where no task was created."""
        return execution.task.parameters if execution.task else execution.parameters

    def get_trace(self, execution: TriggerExecution) -> Any:
        found = ExecutionTrace.objects.filter(pk=execution.pk).first()
        return found.trace if found else None


class RunSerializer(StrictSerializer):
    payload = JSONObjectField(required=False)
    parameters = JSONObjectField(required=False)
    skip_conditions = serializers.BooleanField(required=False)


class RunStartedSerializer(serializers.Serializer[Any]):
    event_id = serializers.UUIDField()
    status_url = serializers.URLField()


class EventDetailSerializer(EventSerializer):
    """An event with what became of it."""

    executions = serializers.SerializerMethodField()

    class Meta(EventSerializer.Meta):
        fields = (*EVENT_FIELDS, "executions")
        read_only_fields = fields

    @extend_schema_field(ExecutionSerializer(many=True, allow_null=True))
    def get_executions(self, event: Event) -> list[dict[str, Any]] | None:
        """The event's executions; null for one who may not see executions."""
        if not self.context["request"].user.has_perm(VIEW_EXECUTIONS):
            return None
        rows = TriggerExecution.objects.filter(event_id=event.pk).select_related(
            "trigger", "task", "event"
        )
        return list(ExecutionSerializer(rows.order_by("id"), many=True).data)
