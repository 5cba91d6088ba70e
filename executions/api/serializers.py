from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from access.callers import caller_of
from access.policy import may, visible
from access.serializers import PayloadSerializer
from agents.models import TaskStatus
from common.api.serializers import JSONObjectField, StrictSerializer
from events.api import EVENT_FIELDS, EventSerializer
from events.models import Event
from executions.access import EXECUTION_PAYLOADS, VIEW_EXECUTIONS
from executions.models import ExecutionTrace, TriggerExecution
from executions.services.outcomes import RunOutcome, run_outcome
from triggers.models import TriggerType

LISTED: tuple[str, ...] = (
    "id", "trigger_id", "trigger_name", "trigger_type", "event_id", "status",
    "reason", "executed_at", "execution_time_ms", "attempt", "task_id",
    "task_status", "outcome", "error_type", "error_message", "trigger_data",
    "trigger_version", "workflow_id", "run_id", "replay_of",
)  # fmt: skip


# As many as a page of the list of executions shows.
EXECUTIONS_SHOWN = 50

UNSHOWN = ("event__body", "event__request", "event__options", "task__result")
UNLISTED = ("parameters", "task__parameters", "task__metadata")


def executions_as_listed() -> QuerySet[TriggerExecution]:
    """Return executions with the columns that ExecutionSerializer shows."""
    rows = TriggerExecution.objects.select_related("trigger", "event", "task")
    return rows.defer(*UNSHOWN, *UNLISTED)


class ExecutionSerializer(PayloadSerializer[TriggerExecution]):
    """An execution in a list."""

    payload_act = EXECUTION_PAYLOADS
    payload_members = ("parameters",)

    trigger_name = serializers.CharField(source="trigger.name")
    trigger_type = serializers.ChoiceField(
        source="trigger.trigger_type", choices=TriggerType.choices
    )
    task_status = serializers.ChoiceField(
        source="task.status", choices=TaskStatus.choices, default=None, allow_null=True
    )
    outcome = serializers.SerializerMethodField()
    trigger_data = serializers.SerializerMethodField()

    class Meta:
        model = TriggerExecution
        fields = LISTED
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=RunOutcome.choices))
    def get_outcome(self, execution: TriggerExecution) -> str:
        """Return how the run ended, its task included."""
        task = execution.task
        return run_outcome(execution.status, task.status if task else None)

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_trigger_data(self, execution: TriggerExecution) -> dict[str, Any]:
        """Return the event's metadata; the URL of the event's body shows the body."""
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
    """One execution with its parameters and the trace of its conditions.

    The parameters are null without the right to payloads.
    """

    parameters = serializers.SerializerMethodField()
    trace = serializers.SerializerMethodField()
    worker = serializers.CharField()

    class Meta(ExecutionSerializer.Meta):
        fields = (*LISTED, "parameters", "trace", "worker")
        read_only_fields = fields

    def get_parameters(self, execution: TriggerExecution) -> Any:
        """The task's parameters; null if no task was created."""
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
    """An event with its first 50 executions; `executions_url` lists all of them.

    All three members are null for a user who may not see executions.
    """

    executions = serializers.SerializerMethodField()
    executions_count = serializers.SerializerMethodField()
    executions_url = serializers.SerializerMethodField()

    class Meta(EventSerializer.Meta):
        fields = (
            *EVENT_FIELDS, "executions", "executions_count", "executions_url",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(ExecutionSerializer(many=True, allow_null=True))
    def get_executions(self, event: Event) -> list[dict[str, Any]] | None:
        if not self._may_view_executions:
            return None
        rows = self._executions(executions_as_listed(), event).order_by("id")
        shown = ExecutionSerializer(
            rows[:EXECUTIONS_SHOWN], many=True, context=self.context
        )
        return list(shown.data)

    def get_executions_count(self, event: Event) -> int | None:
        if not self._may_view_executions:
            return None
        return self._executions(TriggerExecution.objects.all(), event).count()

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_executions_url(self, event: Event) -> str | None:
        if not self._may_view_executions:
            return None
        url = reverse("execution-list", request=self.context["request"])
        return f"{url}?event_id={event.pk}"

    @cached_property
    def _may_view_executions(self) -> bool:
        return may(caller_of(self.context["request"]), VIEW_EXECUTIONS)

    def _executions(
        self, rows: QuerySet[TriggerExecution], event: Event
    ) -> QuerySet[TriggerExecution]:
        caller = caller_of(self.context["request"])
        return visible(rows.filter(event_id=event.pk), caller)
