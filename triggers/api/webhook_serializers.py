from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import AnyCaseChoiceField, StrictSerializer
from triggers.api.serializers import TriggerSerializer
from triggers.models import Trigger
from webhooks.endpoints.rotation import KEEP_SECONDS, MAX_KEEP_SECONDS
from webhooks.endpoints.secrets import Which

WHICH = [which.value for which in Which]


class RotationSerializer(StrictSerializer):
    secret = serializers.CharField(
        default=None, allow_null=True, max_length=1000, trim_whitespace=False
    )
    keep_previous_seconds = serializers.IntegerField(
        default=KEEP_SECONDS, min_value=0, max_value=MAX_KEEP_SECONDS
    )


class RevocationSerializer(StrictSerializer):
    which = AnyCaseChoiceField(choices=WHICH)


class RegenerationSerializer(StrictSerializer):
    rotate_secret = serializers.BooleanField(default=False)


class SecretStateSerializer(serializers.Serializer[Any]):
    """A secret without its text."""

    which = serializers.ChoiceField(choices=WHICH)
    created_at = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)


class WebhookUrlSerializer(serializers.Serializer[Any]):
    """Where a trigger receives webhooks, and what must be known to send one."""

    webhook_url = serializers.CharField()
    webhook_id = serializers.CharField()
    webhook_path = serializers.CharField(allow_null=True)
    webhook_type = serializers.CharField()
    allowed_methods = serializers.ListField(child=serializers.CharField())
    has_secret = serializers.BooleanField()
    webhook_secrets = SecretStateSerializer(many=True)
    shared_with = serializers.ListField(child=serializers.UUIDField())
    last_received_at = serializers.DateTimeField(allow_null=True)


class RenewedTriggerSerializer(TriggerSerializer):
    """A trigger whose endpoint has just got another secret or URL (`renewed`)."""

    webhook_id = serializers.CharField(source="endpoint.webhook_id", read_only=True)
    webhook_secrets = serializers.SerializerMethodField()
    ended_secrets = serializers.SerializerMethodField()

    @extend_schema_field(SecretStateSerializer(many=True))
    def get_webhook_secrets(self, trigger: Trigger) -> Any:
        """The secrets that are valid now, without their texts."""
        return SecretStateSerializer(self.context["live"], many=True).data

    @extend_schema_field(SecretStateSerializer(many=True))
    def get_ended_secrets(self, trigger: Trigger) -> Any:
        """Those that were valid up to now."""
        return SecretStateSerializer(self.context["renewed"].ended, many=True).data
