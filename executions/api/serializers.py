from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import JSONObjectField, StrictSerializer
from events.api.serializers import EventSerializer
from events.models import Event
from executions.models import ExecutionTrace, TriggerExecution


class ExecutionSerializer(serializers.ModelSerializer[TriggerExecution]):
    """An execution in a list."""

    trigger_name = serializers.CharField(source="trigger.name")
    trigger_type = serializers.CharField(source="trigger.trigger_type")
    task_status = serializers.CharField(source="task.status", default=None)
    trigger_data = serializers.SerializerMethodField()

    class Meta:
        model = TriggerExecution
        fields = (
            "id", "trigger_id", "trigger_name", "trigger_type", "event_id", "status",
            "reason", "executed_at", "execution_time_ms", "attempt", "task_id",
            "task_status", "error_type", "error_message", "trigger_data",
            "trigger_version", "workflow_id", "run_id", "replay_of",
        )  # fmt: skip
        read_only_fields = fields

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
        fields = (*ExecutionSerializer.Meta.fields, "parameters", "trace", "worker")  # type: ignore[assignment]  # more fields
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
        fields = (*EventSerializer.Meta.fields, "executions")  # type: ignore[assignment]  # more fields
        read_only_fields = fields

    def get_executions(self, event: Event) -> list[dict[str, Any]]:
        rows = TriggerExecution.objects.filter(event_id=event.pk).select_related(
            "trigger", "task", "event"
        )
        return list(ExecutionSerializer(rows.order_by("id"), many=True).data)
