"""Requests and responses of the ledger, of backfills and of a trigger's status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from agents.models import TaskStatus
from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)
from executions.models import ExecutionStatus
from executions.services.ledger import MAX_ENTRIES
from executions.services.ledger_entries import OccurrenceStatus
from triggers.api.fields import InstantField
from triggers.models import Overlap, ScheduleType

DAY = timedelta(days=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class RecentInstantField(InstantField):
    """An instant since 1970, the first year of a ledger or backfill."""

    default_error_messages = {  # noqa: RUF012 - DRF declares it on instances
        "too_early": "Must not be before 1970.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        instant: datetime = super().to_internal_value(value)
        if instant < _EARLIEST:
            self.fail("too_early")
        return instant


class RangeSerializer(StrictSerializer):
    """`from` and `to`. `from` is a Python keyword, so both fields are added here."""

    is_from_required = False

    def get_fields(self) -> dict[str, Any]:
        given = {
            "from": RecentInstantField(source="since", required=self.is_from_required),
            "to": RecentInstantField(source="until", required=False),
        }
        return {**given, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        now = timezone.now()
        if "since" in attrs and attrs["since"] >= min(attrs.get("until", now), now):
            raise serializers.ValidationError(
                {"from": "Must be in the past and earlier than `to`."}
            )
        return attrs


class LedgerQuerySerializer(RangeSerializer):
    """A range; by default the 24 hours before `to`, which is now by default."""

    limit = serializers.IntegerField(default=1000, min_value=1, max_value=MAX_ENTRIES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        now = timezone.now()
        until = attrs.setdefault("until", now)
        attrs.setdefault("since", max(_EARLIEST, min(until, now) - DAY))
        return attrs


@extend_schema_serializer(component_name="Backfill")
class BackfillRequestSerializer(RangeSerializer):
    is_from_required = True

    overlap = AnyCaseChoiceField(choices=Overlap.choices, required=False)
    limit = serializers.IntegerField(default=100, min_value=1, max_value=1000)
    dry_run = serializers.BooleanField(default=False)


class _AnsweredRangeSerializer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        answered = {
            "from": serializers.DateTimeField(source="since"),
            "to": serializers.DateTimeField(source="until"),
        }
        return {**answered, **super().get_fields()}


class BackfillSerializer(_AnsweredRangeSerializer):
    occurrences = serializers.IntegerField()
    at_least = serializers.BooleanField()
    with_event = serializers.IntegerField()
    recorded = serializers.IntegerField()
    left_out = serializers.IntegerField()
    next_from = serializers.DateTimeField(allow_null=True)
    dry_run = serializers.BooleanField()


class EntrySerializer(serializers.Serializer[Any]):
    scheduled_for = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=[s.value for s in OccurrenceStatus])
    reason = serializers.CharField()
    event_id = serializers.UUIDField(allow_null=True)
    execution_id = serializers.UUIDField(allow_null=True)
    execution_status = serializers.ChoiceField(
        choices=ExecutionStatus.choices, allow_null=True
    )
    task_id = serializers.UUIDField(allow_null=True)
    task_status = serializers.ChoiceField(choices=TaskStatus.choices, allow_null=True)
    fired_at = serializers.DateTimeField(allow_null=True)
    lateness_seconds = serializers.FloatField(allow_null=True)
    note = serializers.CharField()


class LedgerSerializer(_AnsweredRangeSerializer):
    trigger_id = serializers.UUIDField()
    horizon = serializers.DateTimeField(allow_null=True)
    clamped = serializers.BooleanField(source="is_clamped")
    complete = serializers.BooleanField(source="is_complete")
    next_from = serializers.DateTimeField(allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField())
    unaccounted = serializers.ListField(child=serializers.DateTimeField())
    notes = serializers.ListField(child=serializers.CharField())
    occurrences = EntrySerializer(source="entries", many=True)


class NextRunSerializer(serializers.Serializer[Any]):
    scheduled_for = serializers.DateTimeField()
    due_at = serializers.DateTimeField()


class FailureSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    type = serializers.CharField()
    message = serializers.CharField()
    execution_id = serializers.UUIDField()
    task_id = serializers.UUIDField(allow_null=True)


class TriggerStatusSerializer(serializers.Serializer[Any]):
    trigger_id = serializers.UUIDField(source="trigger.id")
    workflow_id = serializers.UUIDField(allow_null=True)
    agent_id = serializers.UUIDField(source="trigger.agent_id")
    task_parameters = JSONObjectField(source="trigger.task_parameters")
    conditions = JSONObjectField(source="trigger.conditions")
    status = serializers.ChoiceField(choices=["active", "paused", "disabled"])
    enabled = serializers.BooleanField(source="trigger.is_active")
    disabled_reason = serializers.CharField(source="trigger.disabled_reason")
    paused_until = serializers.DateTimeField(
        source="trigger.paused_until", allow_null=True
    )
    schedule_type = serializers.ChoiceField(
        source="trigger.schedule_type", choices=ScheduleType.choices, allow_null=True
    )
    schedule_config = JSONObjectField(source="trigger.schedule_config")
    cron_expression = serializers.CharField(
        source="trigger.cron_expression", allow_null=True
    )
    timezone = serializers.CharField(source="trigger.timezone")
    last_run = serializers.DateTimeField(allow_null=True)
    lateness_seconds = serializers.FloatField(allow_null=True)
    next_run = serializers.DateTimeField(
        source="trigger.next_run_time", allow_null=True
    )
    next_runs = NextRunSerializer(many=True)
    run_count = serializers.IntegerField()
    error_count = serializers.IntegerField(source="trigger.stats.failed_executions")
    consecutive_failures = serializers.IntegerField(
        source="trigger.stats.consecutive_failures"
    )
    last_error = serializers.CharField(allow_null=True)
    last_failure = FailureSerializer(allow_null=True)
    clock = serializers.DictField()


class HealthClockSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="clock")
    is_healthy = serializers.BooleanField()


class SnapshotHolderSerializer(serializers.Serializer[Any]):
    holder = serializers.CharField()
    user = serializers.CharField(allow_null=True)
    state = serializers.CharField(allow_null=True)
    seconds = serializers.IntegerField(allow_null=True)
    xids = serializers.IntegerField()


class HealthSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["healthy", "unhealthy"])
    clock = HealthClockSerializer(source="*")
    overdue_triggers = serializers.IntegerField()
    waiting_events = serializers.IntegerField()
    snapshot_holder = SnapshotHolderSerializer(allow_null=True)
