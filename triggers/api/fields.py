from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from access.callers import caller_of
from access.policy import visible
from agents.access import usable_agents
from agents.models import Agent
from common.api.serializers import AnyCaseChoiceField
from triggers.models import TriggerType
from triggers.services.validation import explain_unsupported
from webhooks.models import WebhookEndpoint

MAX_PATTERNS = 50


class TriggerTypeField(AnyCaseChoiceField):
    """A trigger's type; `schedule` is an alias of `cron`."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and data.lower() == "schedule":
            return TriggerType.CRON.value
        return super().to_internal_value(data)


class AgentField(serializers.UUIDField):
    """The id of an agent that the caller may use."""

    def to_internal_value(self, data: Any) -> Any:
        agent_id = super().to_internal_value(data)
        usable = usable_agents(caller_of(self.context["request"]))
        agent: Agent | None = usable.filter(pk=agent_id).first()
        if agent is None:
            raise serializers.ValidationError(
                f"Agent with ID {agent_id} not found or not accessible"
            )
        return agent

    def to_representation(self, value: Any) -> str:
        return str(value.pk)


class EventTypesField(serializers.ListField):
    """Patterns of event types; rejects a pattern that no event could match."""

    child = serializers.CharField(max_length=200)

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_PATTERNS, **options)

    def to_internal_value(self, data: Any) -> list[str]:
        patterns: list[str] = super().to_internal_value(data)
        if faults := explain_unsupported(patterns):
            raise serializers.ValidationError(
                {str(place): detail for place, detail in faults.items()}
            )
        return patterns


class EndpointField(serializers.UUIDField):
    """The id of an active endpoint, or of the trigger's own one."""

    def to_internal_value(self, data: Any) -> Any:
        endpoint_id = super().to_internal_value(data)
        caller = caller_of(self.context["request"])
        endpoints = visible(WebhookEndpoint.objects.all(), caller)
        endpoint = endpoints.filter(pk=endpoint_id).first()
        trigger = getattr(self.parent, "instance", None)
        is_own = trigger is not None and trigger.endpoint_id == endpoint_id
        if endpoint is None or not (endpoint.is_active or is_own):
            raise serializers.ValidationError(f"There is no endpoint {endpoint_id}")
        return endpoint

    def to_representation(self, value: Any) -> str:
        return str(value.pk)


class InstantField(serializers.DateTimeField):
    """A date and time; rejects one without a UTC offset, as it names no instant."""

    default_error_messages = {  # noqa: RUF012 - DRF declares it on instances
        "naive": "Needs a UTC offset, as in '2026-03-28T00:00:00Z'.",
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("naive")
        return super().enforce_timezone(value)


class LocalTimeField(serializers.DateTimeField):
    """A date and time, shown with its own offset instead of UTC."""

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class CronPartField(serializers.CharField):
    """One part of a cron expression, as text or as a number; the default is `*`."""

    default_error_messages = {  # noqa: RUF012 - DRF declares it on instances
        "several": "Must be one part of the expression, without spaces.",
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(default="*", **options)

    def to_internal_value(self, data: Any) -> str:
        part = super().to_internal_value(data)
        if len(part.split()) > 1:
            self.fail("several")
        return part
