from __future__ import annotations

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Agent
from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)
from triggers.models import (
    Catchup,
    ConditionErrorPolicy,
    DstGap,
    DstOverlap,
    Overlap,
    ScheduleType,
    Trigger,
    TriggerType,
)
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import webhook_url

MAX_PATTERNS = 50
COLUMNS_OF_ENDPOINT = {
    "webhook_type": "type_slug",
    "webhook_config": "config",
    "allowed_methods": "allowed_methods",
    "validation_rules": "validation_rules",
}


class TriggerTypeField(AnyCaseChoiceField):
    """`schedule` is another word for `cron`."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and data.lower() == "schedule":
            return TriggerType.CRON
        return super().to_internal_value(data)


class AgentField(serializers.UUIDField):
    """The id of an agent that the caller may use."""

    def to_internal_value(self, data: Any) -> Any:
        agent_id = super().to_internal_value(data)
        agent = _usable_agents(self.context["request"].user).filter(pk=agent_id)
        if found := agent.first():
            return found
        raise serializers.ValidationError(
            f"Agent with ID {agent_id} not found or not accessible"
        )

    def to_representation(self, value: Any) -> str:
        return str(value.pk)


class EndpointField(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> Any:
        endpoint_id = super().to_internal_value(data)
        if found := WebhookEndpoint.objects.filter(pk=endpoint_id).first():
            return found
        raise serializers.ValidationError(f"There is no endpoint {endpoint_id}")

    def to_representation(self, value: Any) -> str:
        return str(value.pk)


class StatisticsSerializer(serializers.Serializer[Any]):
    total_executions = serializers.IntegerField()
    successful_executions = serializers.IntegerField()
    failed_executions = serializers.IntegerField()
    skipped_executions = serializers.IntegerField()
    consecutive_failures = serializers.IntegerField()
    last_execution_at = serializers.DateTimeField(allow_null=True)


class TriggerSerializer(StrictSerializer):
    """A trigger as the API shows and takes it; its endpoint's fields are its own."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=255)
    description = serializers.CharField(
        required=False, allow_blank=True, max_length=10_000
    )
    agent_id = AgentField(source="agent")
    trigger_type = TriggerTypeField(choices=TriggerType.choices)
    is_active = serializers.BooleanField(required=False)
    task_type = serializers.CharField(required=False, allow_blank=True, max_length=100)
    task_parameters = JSONObjectField(required=False)
    parameter_mapping = JSONObjectField(required=False)
    conditions = JSONObjectField(required=False)
    on_condition_error = AnyCaseChoiceField(
        choices=ConditionErrorPolicy.choices, required=False
    )
    schedule_type = AnyCaseChoiceField(
        choices=ScheduleType.choices, required=False, allow_null=True
    )
    schedule_config = JSONObjectField(required=False)
    cron_expression = serializers.CharField(
        required=False, allow_null=True, max_length=255
    )
    timezone = serializers.CharField(required=False, max_length=100)
    start_at = serializers.DateTimeField(required=False, allow_null=True)
    end_at = serializers.DateTimeField(required=False, allow_null=True)
    max_runs = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1
    )
    jitter_seconds = serializers.IntegerField(
        required=False, min_value=0, max_value=86_400
    )
    dst_gap = AnyCaseChoiceField(choices=DstGap.choices, required=False)
    dst_overlap = AnyCaseChoiceField(choices=DstOverlap.choices, required=False)
    catchup = AnyCaseChoiceField(choices=Catchup.choices, required=False)
    catchup_window_seconds = serializers.IntegerField(
        required=False, min_value=0, max_value=366 * 86_400
    )
    misfire_grace_seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=86_400
    )
    overlap = AnyCaseChoiceField(choices=Overlap.choices, required=False)
    paused_until = serializers.DateTimeField(required=False, allow_null=True)
    pause_note = serializers.CharField(required=False, allow_blank=True, max_length=255)
    event_types = serializers.ListField(
        child=serializers.CharField(max_length=200),
        required=False,
        max_length=MAX_PATTERNS,
    )
    subject = serializers.CharField(required=False, allow_blank=True, max_length=255)
    endpoint_id = EndpointField(source="endpoint", required=False, allow_null=True)
    webhook_type = serializers.CharField(required=False, max_length=50)
    webhook_config = JSONObjectField(required=False, write_only=True)
    allowed_methods = serializers.ListField(
        child=serializers.CharField(max_length=10), required=False, max_length=5
    )
    validation_rules = JSONObjectField(required=False)
    timeout_seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=86_400
    )
    max_executions_per_hour = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1
    )
    failure_threshold = serializers.IntegerField(
        required=False, min_value=1, max_value=10_000
    )
    count_task_failures = serializers.BooleanField(required=False)

    version = serializers.IntegerField(read_only=True)
    disabled_reason = serializers.CharField(read_only=True)
    next_run_time = serializers.DateTimeField(read_only=True)
    webhook_url = serializers.SerializerMethodField()
    webhook_secret = serializers.SerializerMethodField()
    shared_with = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = super().to_representation(instance)
        endpoint = instance.endpoint
        shown["webhook_type"] = endpoint.type if endpoint else None
        shown["allowed_methods"] = endpoint.allowed_methods if endpoint else None
        shown["validation_rules"] = endpoint.validation_rules if endpoint else None
        shown["event_types"] = sorted(s.pattern for s in instance.subscriptions.all())
        return shown | StatisticsSerializer(instance.stats).data

    def get_webhook_url(self, trigger: Trigger) -> str | None:
        return webhook_url(trigger.endpoint) if trigger.endpoint else None

    def get_webhook_secret(self, trigger: Trigger) -> str | None:
        """The endpoint's secret, where this answer is the one that shows it."""
        secret: str | None = self.context.get("webhook_secret")
        return secret

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_shared_with(self, trigger: Trigger) -> list[str]:
        """The other triggers that its endpoint serves."""
        if trigger.endpoint is None:
            return []
        served = trigger.endpoint.triggers.all()
        return [str(t.pk) for t in served if t.pk != trigger.pk and not t.deleted_at]


def _usable_agents(user: Any) -> Any:
    """Those without groups, and those of the user's; all for a superuser."""
    if user.is_superuser:
        return Agent.objects.all()
    mine = Q(groups=None) | Q(groups__in=user.groups.all())
    return Agent.objects.filter(mine).distinct()
