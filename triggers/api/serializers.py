"""A trigger in the API: its members, and a body as the arguments of the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from access.callers import Caller, caller_of
from access.owner_fields import OwnerField, OwnerGroupsField
from access.policy import own_subject
from common.api.errors import faults_of
from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)
from common.errors import Fault, join_faults
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
from triggers.schedules import Dialect
from triggers.services.endpoints import is_open_to
from triggers.services.validation import (
    InvalidTrigger,
    default_hourly_limit,
    find_faults,
    set_columns,
    warn_of_hourly_limit,
)
from webhooks.access import FOREIGN_ENDPOINT
from webhooks.endpoints.lifecycle import API_NAMES, METHODS, EndpointFields
from webhooks.endpoints.masking import MASK, masked_config
from webhooks.endpoints.urls import MAX_PATH_LENGTH, custom_path, webhook_url
from webhooks.models import WebhookEndpoint

MAX_INTEGER = 2**31 - 1
DAY_SECONDS = 86_400


class WarningSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    detail = serializers.CharField()


class TriggerSerializer(StrictSerializer):
    """A trigger as the API shows and accepts it, with the fields of its endpoint.

    In a full body, a missing field gets the default that is named here. A missing field
    of the endpoint gets its default only if the endpoint serves no other trigger. The
    config of a webhook, its secret and the owners are never reset.
    """

    found_warnings: Sequence[Fault] = ()

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
        choices=ConditionErrorPolicy.choices, default=ConditionErrorPolicy.SKIP
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
    webhook_config = JSONObjectField(
        required=False,
        allow_null=True,
        help_text=f"Secrets are shown as {MASK}; sent back, that keeps the secret.",
    )
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
    # Without it, `default_counting` decides once the endpoint is known.
    count_task_failures = serializers.BooleanField(required=False)

    owner = OwnerField()
    owner_groups = OwnerGroupsField()
    owner_lost_at = serializers.DateTimeField(read_only=True, allow_null=True)

    version = serializers.IntegerField(read_only=True)
    disabled_reason = serializers.CharField(read_only=True)
    next_run_time = serializers.DateTimeField(read_only=True, allow_null=True)
    webhook_url = serializers.SerializerMethodField()
    webhook_secret = serializers.SerializerMethodField()
    read_as = serializers.SerializerMethodField()
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
    warnings = serializers.SerializerMethodField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self._check_endpoint(attrs)
        if "subject" in attrs:
            caller = caller_of(self.context["request"])
            attrs["subject"] = own_subject(caller, attrs["subject"])
        if not self.partial:
            if "max_executions_per_hour" not in attrs:
                trigger_type = attrs["trigger_type"]
                attrs["max_executions_per_hour"] = default_hourly_limit(trigger_type)
                self.found_warnings = warn_of_hourly_limit(trigger_type)
            attrs.setdefault("count_task_failures", None)
        return attrs

    @extend_schema_field(WarningSerializer(many=True))
    def get_warnings(self, trigger: Trigger) -> Any:
        """What the request that set these values may not have meant; else empty."""
        return WarningSerializer(self.context.get("warnings", ()), many=True).data

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
        if not is_open_to(caller_of(self.context["request"]), endpoint.pk):
            raise serializers.ValidationError({"endpoint_id": FOREIGN_ENDPOINT})

    def to_representation(self, instance: Any) -> dict[str, Any]:
        endpoint = instance.endpoint
        return {
            **super().to_representation(instance),
            "event_types": sorted(s.pattern for s in instance.subscriptions.all()),
            "webhook_path": endpoint and custom_path(endpoint),
            "webhook_type": endpoint and endpoint.type,
            "webhook_config": endpoint and masked_config(endpoint),
            "allowed_methods": endpoint and endpoint.allowed_methods,
            "validation_rules": endpoint and endpoint.validation_rules,
        }

    def get_webhook_url(self, trigger: Trigger) -> str | None:
        return webhook_url(trigger.endpoint) if trigger.endpoint else None

    def get_webhook_secret(self, trigger: Trigger) -> str | None:
        """The endpoint's secret, in the one response that shows it."""
        secret: str | None = self.context.get("webhook_secret")
        return secret

    @extend_schema_field(serializers.ChoiceField(choices=[*Dialect], allow_null=True))
    def get_read_as(self, trigger: Trigger) -> str | None:
        """By whose rules the cron expression was read, in the response that saves it.

        The expression itself is shown as it is stored, with 0 as Sunday.
        """
        read_as: str | None = self.context.get("read_as")
        return read_as

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_shared_with(self, trigger: Trigger) -> list[str]:
        """The other triggers of the same endpoint."""
        if trigger.endpoint is None:
            return []
        return shown_neighbors(trigger, caller_of(self.context["request"]))


def shown_neighbors(trigger: Trigger, caller: Caller) -> list[str]:
    """Return the ids of the other triggers of an endpoint that a caller may see."""
    assert trigger.endpoint is not None  # noqa: S101 - the callers check it
    served = trigger.endpoint.triggers.all()
    return [
        str(other.pk)
        for other in served
        if other.pk != trigger.pk and caller.subject in ("", other.subject)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerInput:
    """A valid body, split into columns of the trigger and fields of its endpoint."""

    columns: Mapping[str, Any]
    webhook: EndpointFields
    event_types: Sequence[str] | None
    warnings: Sequence[Fault] = ()


def read_trigger(serializer: TriggerSerializer) -> TriggerInput:
    """Read a body; raise InvalidTrigger with all its faults.

    If some fields cannot be parsed, the others are validated, too.
    """
    if serializer.is_valid():
        given = _split(serializer.validated_data)
        return replace(given, warnings=serializer.found_warnings)
    faults = [*faults_of(serializer.errors), *_find_more_faults(serializer)]
    raise InvalidTrigger(join_faults(faults), faults=faults)


def complete_webhook(given: TriggerInput, trigger: Trigger) -> EndpointFields:
    """Return the fields of a trigger's endpoint that a full body sets.

    A field that the body leaves out gets its default. But only a named field changes if
    the endpoint serves other triggers, and so does the URL, which the sender knows.
    """
    endpoint = trigger.endpoint
    is_kept = given.columns.get("endpoint", endpoint) == endpoint
    if given.columns["trigger_type"] != TriggerType.WEBHOOK or not is_kept:
        return given.webhook
    if endpoint is None or any(t.pk != trigger.pk for t in endpoint.triggers.all()):
        return given.webhook
    fresh = WebhookEndpoint()
    defaults = EndpointFields(
        type_slug=fresh.type,
        allowed_methods=fresh.allowed_methods,
        validation_rules=fresh.validation_rules,
    )
    return {**defaults, **given.webhook}


def _split(fields: Mapping[str, Any]) -> TriggerInput:
    webhook = {
        column: fields[name]
        for column, name in API_NAMES.items()
        if fields.get(name) is not None or (column == "path" and name in fields)
    }
    other = {*API_NAMES.values(), "event_types"}
    columns = {name: value for name, value in fields.items() if name not in other}
    if columns.get("endpoint", "") is None:
        del columns["endpoint"]
    return TriggerInput(
        columns=columns,
        webhook=cast("EndpointFields", webhook),  # its keys are those of API_NAMES
        event_types=fields.get("event_types"),
    )


def _find_more_faults(serializer: TriggerSerializer) -> list[Fault]:
    """Return the faults of the fields that can be parsed."""
    unread = set(serializer.errors)
    readable = _read_again(serializer, without=unread)
    if readable is None:
        return []
    given = _split(readable)
    trigger = copy(serializer.instance) or Trigger(schedule_anchor=timezone.now())
    set_columns(trigger, given.columns)
    faults = find_faults(
        trigger,
        event_types=given.event_types or (),
        webhook=given.webhook,
        now=timezone.now(),
    )
    return [fault for fault in faults if fault.pointer[1:].split("/")[0] not in unread]


def _read_again(
    serializer: TriggerSerializer, *, without: set[str]
) -> Mapping[str, Any] | None:
    body = serializer.initial_data
    if not isinstance(body, Mapping):
        return None
    again = TriggerSerializer(
        serializer.instance,
        data={name: value for name, value in body.items() if name not in without},
        partial=True,
        context=serializer.context,
    )
    return again.validated_data if again.is_valid() else None
