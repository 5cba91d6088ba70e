from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import JSONObjectField, StrictSerializer
from events.models import Event, EventType


class EventTypeSerializer(serializers.ModelSerializer[EventType]):
    type = serializers.CharField(source="name")
    name = serializers.CharField(source="title")

    class Meta:
        model = EventType
        fields = ("type", "name", "description", "category", "payload_schema")


class EmitSerializer(StrictSerializer):
    type = serializers.CharField(max_length=200)
    payload = JSONObjectField(required=False)
    subject = serializers.CharField(required=False, allow_blank=True, max_length=255)
    customer_id = serializers.CharField(
        required=False, allow_blank=True, max_length=255
    )
    idempotency_key = serializers.CharField(required=False, max_length=1000)

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


class EventSerializer(serializers.ModelSerializer[Event]):
    class Meta:
        model = Event
        fields = (
            "id", "type", "source", "subject", "content_type", "body_size", "request",
            "endpoint_id", "trigger_id", "delivery_id", "scheduled_for", "received_at",
            "correlation_id", "cause_id", "depth", "replay_of",
        )  # fmt: skip
        read_only_fields = fields

    request: Any = serializers.JSONField(read_only=True, allow_null=True)
