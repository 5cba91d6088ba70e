from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)
from triggers.api.fields import (
    AgentField,
    EndpointField,
    EventTypesField,
    TriggerTypeField,
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
from triggers.services.endpoints import FOREIGN_ENDPOINT, is_open_to
from triggers.services.validation import default_hourly_limit
from webhooks.endpoints.lifecycle import API_NAMES, METHODS
from webhooks.endpoints.urls import MAX_PATH_LENGTH, custom_path, webhook_url

MAX_INTEGER = 2**31 - 1
DAY_SECONDS = 86_400


class TriggerSerializer(StrictSerializer):
    """A trigger as the API shows and accepts it, with the fields of its endpoint.

    In a full body, a missing field gets the default that is named here. A missing field
    of the endpoint gets its default only if the endpoint serves no other trigger. A
    field that the API does not show, such as the secret, is never reset.
    """

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=255)
    description = serializers.CharField(default="", allow_blank=True, max_length=10_000)
    agent_id = AgentField(source="agent")
    trigger_type = TriggerTypeField(choices=TriggerType.choices)
    is_active = serializers.BooleanField(default=True)
    task_type = serializers.CharField(default="", allow_blank=True, max_length=100)
    task_parameters = JSONObjectField(default=dict)
    parameter_mapping = JSONObjectField(default=dict)
    conditions = JSONObjectField(default=dict)
    on_condition_error = AnyCaseChoiceField(
        choices=ConditionErrorPolicy.choices, default=ConditionErrorPolicy.FAIL
    )

    schedule_type = AnyCaseChoiceField(
        choices=ScheduleType.choices, default=None, allow_null=True
    )
    schedule_config = JSONObjectField(default=dict)
    cron_expression = serializers.CharField(
        default=None, allow_null=True, max_length=255
    )
    timezone = serializers.CharField(default="UTC", max_length=100)
    start_at = serializers.DateTimeField(default=None, allow_null=True)
    end_at = serializers.DateTimeField(default=None, allow_null=True)
    max_runs = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=MAX_INTEGER
    )
    jitter_seconds = serializers.IntegerField(
        default=0, min_value=0, max_value=DAY_SECONDS
    )
    dst_gap = AnyCaseChoiceField(choices=DstGap.choices, default=DstGap.AFTER)
    dst_overlap = AnyCaseChoiceField(
        choices=DstOverlap.choices, default=DstOverlap.FIRST
    )
    catchup = AnyCaseChoiceField(choices=Catchup.choices, default=Catchup.LATEST)
    catchup_window_seconds = serializers.IntegerField(
        default=3600, min_value=0, max_value=366 * DAY_SECONDS
    )
    misfire_grace_seconds = serializers.IntegerField(
        default=30, min_value=1, max_value=DAY_SECONDS
    )
    overlap = AnyCaseChoiceField(choices=Overlap.choices, default=Overlap.ALLOW)
    paused_until = serializers.DateTimeField(default=None, allow_null=True)
    pause_note = serializers.CharField(default="", allow_blank=True, max_length=255)

    event_types = EventTypesField(default=list)
    subject = serializers.CharField(default="", allow_blank=True, max_length=255)
    endpoint_id = EndpointField(source="endpoint", required=False, allow_null=True)
    webhook_path = serializers.CharField(
        required=False, allow_null=True, max_length=MAX_PATH_LENGTH
    )
    webhook_type = serializers.CharField(required=False, allow_null=True, max_length=50)
    webhook_config = JSONObjectField(required=False, allow_null=True, write_only=True)
    allowed_methods = serializers.ListField(
        child=serializers.CharField(max_length=10),
        required=False,
        allow_null=True,
        max_length=len(METHODS),
    )
    validation_rules = JSONObjectField(required=False, allow_null=True)

    timeout_seconds = serializers.IntegerField(
        default=300, min_value=1, max_value=DAY_SECONDS
    )
    max_executions_per_hour = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MAX_INTEGER
    )
    failure_threshold = serializers.IntegerField(
        default=5, min_value=1, max_value=10_000
    )
    count_task_failures = serializers.BooleanField(default=True)

    version = serializers.IntegerField(read_only=True)
    disabled_reason = serializers.CharField(read_only=True)
    next_run_time = serializers.DateTimeField(read_only=True, allow_null=True)
    webhook_url = serializers.SerializerMethodField()
    webhook_secret = serializers.SerializerMethodField()
    shared_with = serializers.SerializerMethodField()
    total_executions = serializers.IntegerField(
        source="stats.total_executions", read_only=True
    )
    successful_executions = serializers.IntegerField(
        source="stats.successful_executions", read_only=True
    )
    failed_executions = serializers.IntegerField(
        source="stats.failed_executions", read_only=True
    )
    skipped_executions = serializers.IntegerField(
        source="stats.skipped_executions", read_only=True
    )
    consecutive_failures = serializers.IntegerField(
        source="stats.consecutive_failures", read_only=True
    )
    last_execution_at = serializers.DateTimeField(
        source="stats.last_execution_at", read_only=True, allow_null=True
    )
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self._check_endpoint(attrs)
        if not self.partial:
            limit = default_hourly_limit(attrs["trigger_type"])
            attrs.setdefault("max_executions_per_hour", limit)
        return attrs

    def _check_endpoint(self, attrs: dict[str, Any]) -> None:
        """Reject the use or change of an endpoint that serves agents of others."""
        own = self.instance and self.instance.endpoint
        endpoint = attrs.get("endpoint") or own
        if endpoint is None:
            return
        removes_path = attrs.get("webhook_path", ...) is None and custom_path(endpoint)
        is_change = any(attrs.get(name) is not None for name in API_NAMES.values())
        if endpoint == own and not removes_path and not is_change:
            return
        if not is_open_to(self.context["request"].user, endpoint.pk):
            raise serializers.ValidationError({"endpoint_id": FOREIGN_ENDPOINT})

    def to_representation(self, instance: Any) -> dict[str, Any]:
        endpoint = instance.endpoint
        return {
            **super().to_representation(instance),
            "event_types": sorted(s.pattern for s in instance.subscriptions.all()),
            "webhook_path": endpoint and custom_path(endpoint),
            "webhook_type": endpoint and endpoint.type,
            "allowed_methods": endpoint and endpoint.allowed_methods,
            "validation_rules": endpoint and endpoint.validation_rules,
        }

    def get_webhook_url(self, trigger: Trigger) -> str | None:
        return webhook_url(trigger.endpoint) if trigger.endpoint else None

    def get_webhook_secret(self, trigger: Trigger) -> str | None:
        """The endpoint's secret, in the one response that shows it."""
        secret: str | None = self.context.get("webhook_secret")
        return secret

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_shared_with(self, trigger: Trigger) -> list[str]:
        """The other triggers of the same endpoint."""
        if trigger.endpoint is None:
            return []
        served = trigger.endpoint.triggers.all()
        return [str(t.pk) for t in served if t.pk != trigger.pk]
