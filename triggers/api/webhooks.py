"""The URL and the secrets of a webhook trigger's endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from access.callers import caller_of
from access.permissions import PolicyPermission
from access.policy import Act
from common.api.serializers import AnyCaseChoiceField, StrictSerializer
from common.api.views import StrictAPIView
from common.errors import NotFound
from triggers.access import CHANGE_TRIGGER, VIEW_TRIGGER
from triggers.api.serializers import TriggerSerializer, shown_neighbors
from triggers.api.views import AgentPermission, shown_triggers
from triggers.models import Trigger
from triggers.services.endpoints import is_open_to
from triggers.services.lifecycle import TriggerNotFound
from webhooks.access import FOREIGN_ENDPOINT
from webhooks.endpoints import rotation
from webhooks.endpoints.lifecycle import last_received_at
from webhooks.endpoints.rotation import KEEP_SECONDS, MAX_KEEP_SECONDS
from webhooks.endpoints.secrets import Which, live_entries, states_of
from webhooks.endpoints.urls import custom_path, webhook_url
from webhooks.models import WebhookEndpoint

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
    """Where a trigger receives webhooks, and what a sender must know."""

    webhook_url = serializers.CharField()
    webhook_id = serializers.CharField()
    webhook_path = serializers.CharField(allow_null=True)
    webhook_type = serializers.CharField()
    allowed_methods = serializers.ListField(child=serializers.CharField())
    has_secret = serializers.BooleanField()
    webhook_secrets = SecretStateSerializer(many=True)
    shared_with = serializers.ListField(child=serializers.UUIDField())
    last_received_at = serializers.DateTimeField(allow_null=True)


class TriggerWithSecretsSerializer(TriggerSerializer):
    """A trigger whose endpoint has just got another secret or URL."""

    webhook_id = serializers.CharField(source="endpoint.webhook_id", read_only=True)
    webhook_secrets = serializers.SerializerMethodField()
    ended_secrets = serializers.SerializerMethodField()

    @extend_schema_field(SecretStateSerializer(many=True))
    def get_webhook_secrets(self, trigger: Trigger) -> Any:
        """The secrets that are valid now, without their texts."""
        return SecretStateSerializer(self.context["live"], many=True).data

    @extend_schema_field(SecretStateSerializer(many=True))
    def get_ended_secrets(self, trigger: Trigger) -> Any:
        """The secrets that this request has ended."""
        return SecretStateSerializer(self.context["ended"], many=True).data


class NoWebhook(NotFound):
    """This trigger has no webhook."""

    code = "no_webhook"

    def __init__(self, trigger: Trigger) -> None:
        super().__init__(
            "Only webhook triggers have a webhook; "
            f"trigger_type is '{trigger.trigger_type}'"
        )


class EndpointView(StrictAPIView):
    """Base of the views about the endpoint of one trigger."""

    acts: ClassVar[Mapping[str, Act]] = {"get": VIEW_TRIGGER, "post": CHANGE_TRIGGER}
    permission_classes = (PolicyPermission, AgentPermission)

    def find(self, pk: UUID) -> tuple[Trigger, WebhookEndpoint]:
        """Return a trigger and its endpoint; raise if the caller may not use both."""
        trigger = shown_triggers(caller_of(self.request)).filter(pk=pk).first()
        if trigger is None:
            raise TriggerNotFound
        self.check_object_permissions(self.request, trigger)
        if trigger.endpoint is None:
            raise NoWebhook(trigger)
        is_change = self.request.method not in SAFE_METHODS
        if is_change and not is_open_to(caller_of(self.request), trigger.endpoint.pk):
            raise PermissionDenied(FOREIGN_ENDPOINT)
        return trigger, trigger.endpoint

    def answer(self, pk: UUID, changed: rotation.RotatedEndpoint) -> Response:
        """Return the trigger, and a secret that this request has set."""
        trigger, _ = self.find(pk)
        context = {
            "request": self.request,
            "webhook_secret": changed.secret,
            "ended": changed.ended,
            "live": states_of(live_entries(changed.endpoint)),
        }
        return Response(TriggerWithSecretsSerializer(trigger, context=context).data)


class WebhookUrlView(EndpointView):
    @extend_schema(responses={200: WebhookUrlSerializer})
    def get(self, request: Request, pk: UUID) -> Response:
        """Show where a trigger receives webhooks."""
        trigger, endpoint = self.find(pk)
        live = states_of(live_entries(endpoint))
        shown = {
            "webhook_url": webhook_url(endpoint),
            "webhook_id": endpoint.webhook_id,
            "webhook_path": custom_path(endpoint),
            "webhook_type": endpoint.type,
            "allowed_methods": endpoint.allowed_methods,
            "has_secret": bool(live),
            "webhook_secrets": live,
            "shared_with": shown_neighbors(trigger, caller_of(request)),
            "last_received_at": last_received_at(endpoint.pk),
        }
        return Response(WebhookUrlSerializer(shown).data)


class RotateSecretView(EndpointView):
    @extend_schema(
        request=RotationSerializer, responses={200: TriggerWithSecretsSerializer}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Set another secret, by default a random one; keep the old one for a day."""
        _, endpoint = self.find(pk)
        given = _validated(RotationSerializer(data=request.data))
        return self.answer(pk, rotation.rotate_secret(endpoint_id=endpoint.pk, **given))


class RevokeSecretView(EndpointView):
    @extend_schema(
        request=RevocationSerializer, responses={200: TriggerWithSecretsSerializer}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """End one of two secrets now; the other one becomes the current secret."""
        _, endpoint = self.find(pk)
        given = _validated(RevocationSerializer(data=request.data))
        which = Which(given["which"])
        return self.answer(
            pk, rotation.revoke_secret(endpoint_id=endpoint.pk, which=which)
        )


class RegenerateWebhookView(EndpointView):
    @extend_schema(
        request=RegenerationSerializer, responses={200: TriggerWithSecretsSerializer}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Give the endpoint a new URL; the old URL stops working now."""
        _, endpoint = self.find(pk)
        given = _validated(RegenerationSerializer(data=request.data))
        return self.answer(pk, rotation.replace_url(endpoint_id=endpoint.pk, **given))


def _validated(serializer: StrictSerializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    fields: dict[str, Any] = serializer.validated_data
    return fields
