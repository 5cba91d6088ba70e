"""The URL and the secrets of the endpoint that a trigger's webhooks come by."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from common.api.defaults import ChangePermissions
from common.errors import NotFound
from triggers.api.permissions import AgentPermission
from triggers.api.webhook_serializers import (
    RegenerationSerializer,
    RenewedTriggerSerializer,
    RevocationSerializer,
    RotationSerializer,
    WebhookUrlSerializer,
)
from triggers.models import Trigger
from triggers.selectors import shown_triggers
from triggers.services.endpoints import FOREIGN_ENDPOINT, is_open_to
from triggers.services.lifecycle import TriggerNotFound
from webhooks.endpoints import rotation
from webhooks.endpoints.lifecycle import last_received_at
from webhooks.endpoints.secrets import Which, live_entries, states_of
from webhooks.endpoints.urls import custom_path, webhook_url
from webhooks.models import WebhookEndpoint


class NoWebhook(NotFound):
    """This trigger has no webhook."""

    code = "no_webhook"

    def __init__(self, trigger: Trigger) -> None:
        kind = trigger.trigger_type
        super().__init__(f"Only webhook triggers have one; trigger_type is '{kind}'")


class EndpointView(APIView):
    """Something about the endpoint of one trigger."""

    queryset = Trigger.objects.all()
    permission_classes = (ChangePermissions, AgentPermission)

    def find(self, pk: UUID) -> tuple[Trigger, WebhookEndpoint]:
        """Return a trigger and its endpoint, if the caller may do this with both."""
        trigger = shown_triggers().filter(pk=pk).first()
        if trigger is None:
            raise TriggerNotFound
        self.check_object_permissions(self.request, trigger)
        if trigger.endpoint is None:
            raise NoWebhook(trigger)
        is_change = self.request.method not in SAFE_METHODS
        if is_change and not is_open_to(self.request.user, trigger.endpoint.pk):
            raise PermissionDenied(FOREIGN_ENDPOINT)
        return trigger, trigger.endpoint

    def answer(self, pk: UUID, renewed: rotation.RotatedEndpoint) -> Response:
        """Answer with the trigger; a secret that was just set is shown this once."""
        trigger, _ = self.find(pk)
        context = {
            "request": self.request,
            "webhook_secret": renewed.secret,
            "renewed": renewed,
            "live": states_of(live_entries(renewed.endpoint)),
        }
        return Response(RenewedTriggerSerializer(trigger, context=context).data)


class WebhookUrlView(EndpointView):
    @extend_schema(responses={200: WebhookUrlSerializer})
    def get(self, request: Request, pk: UUID) -> Response:
        """Show where a trigger receives webhooks."""
        trigger, endpoint = self.find(pk)
        live = states_of(live_entries(endpoint))
        served = [t.pk for t in endpoint.triggers.all() if t.pk != trigger.pk]
        shown = {
            "webhook_url": webhook_url(endpoint),
            "webhook_id": endpoint.webhook_id,
            "webhook_path": custom_path(endpoint),
            "webhook_type": endpoint.type,
            "allowed_methods": endpoint.allowed_methods,
            "has_secret": bool(live),
            "webhook_secrets": live,
            "shared_with": served,
            "last_received_at": last_received_at(endpoint.pk),
        }
        return Response(WebhookUrlSerializer(shown).data)


class RotateSecretView(EndpointView):
    @extend_schema(
        request=RotationSerializer, responses={200: RenewedTriggerSerializer}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Set another secret; by default a new one, and the present one stays a day."""
        _, endpoint = self.find(pk)
        given = _read(RotationSerializer(data=request.data))
        return self.answer(
            pk, rotation.rotate_secret(endpoint_id=endpoint.pk, **given.validated_data)
        )


class RevokeSecretView(EndpointView):
    @extend_schema(
        request=RevocationSerializer, responses={200: RenewedTriggerSerializer}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """End one of two secrets at once; the other is then the current one."""
        _, endpoint = self.find(pk)
        given = _read(RevocationSerializer(data=request.data))
        which = Which(given.validated_data["which"])
        return self.answer(
            pk, rotation.revoke_secret(endpoint_id=endpoint.pk, which=which)
        )


class RegenerateWebhookView(EndpointView):
    @extend_schema(
        request=RegenerationSerializer, responses={200: RenewedTriggerSerializer}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Move the endpoint to a new URL; the old one is unknown from now on."""
        _, endpoint = self.find(pk)
        given = _read(RegenerationSerializer(data=request.data))
        return self.answer(
            pk, rotation.replace_url(endpoint_id=endpoint.pk, **given.validated_data)
        )


def _read(serializer: Serializer) -> Serializer:  # type: ignore[type-arg]  # any of ours
    serializer.is_valid(raise_exception=True)
    return serializer
