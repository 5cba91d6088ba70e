from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import JSONObjectField, StrictSerializer
from events.models import Event, EventType

EVENT_FIELDS: tuple[str, ...] = (
    "id", "type", "source", "subject", "content_type", "body_size", "request",
    "endpoint_id", "trigger_id", "delivery_id", "scheduled_for", "received_at",
    "correlation_id", "cause_id", "depth", "replay_of",
)  # fmt: skip


class EventTypeSerializer(serializers.ModelSerializer[EventType]):
    type = serializers.CharField(source="name")
    name = serializers.SerializerMethodField()
    payload_schema = JSONObjectField()

    class Meta:
        model = EventType
        fields = ("type", "name", "description", "category", "payload_schema")

    def get_name(self, event_type: EventType) -> str:
        return event_type.title or event_type.name


class EmitSerializer(StrictSerializer):
    """A domain event; `customer_id` is another name of `subject`.

    `cause_id` is the event that led to this one.
    """

    type = serializers.CharField(max_length=200)
    payload = JSONObjectField(required=False)
    subject = serializers.CharField(required=False, allow_blank=True, max_length=255)
    customer_id = serializers.CharField(
        required=False, allow_blank=True, max_length=255
    )
    idempotency_key = serializers.CharField(required=False, max_length=1000)
    cause_id = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        alias = attrs.pop("customer_id", None)
        if alias is not None and attrs.setdefault("subject", alias) != alias:
            raise serializers.ValidationError(
                {"customer_id": ["Is another name of subject; the two differ."]}
            )
        return attrs


class EmittedSerializer(serializers.Serializer[Any]):
    event_id = serializers.UUIDField()
    duplicate = serializers.BooleanField()


@extend_schema_field(OpenApiTypes.OBJECT)
class RequestField(serializers.JSONField):
    """What is kept of a request: method, headers, query, remote address."""


class EventSerializer(serializers.ModelSerializer[Event]):
    request = RequestField(read_only=True, allow_null=True)

    class Meta:
        model = Event
        fields = EVENT_FIELDS
        read_only_fields = fields
