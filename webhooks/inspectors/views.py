from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from common.api.defaults import ChangePermissions
from common.api.serializers import StrictSerializer
from webhooks.endpoints.lifecycle import METHODS
from webhooks.inspectors.inspection import received_by, show
from webhooks.inspectors.store import (
    Inspector,
    find_inspector,
    keep_request,
    open_inspector,
    refuse_if_full,
    shown_requests,
)
from webhooks.models import Delivery, WebhookEndpoint
from webhooks.receiver.view import AlwaysJSON
from webhooks.types import known_slugs


class InspectorView(APIView):
    """Receives by any method what is to be shown; bounded, and never an event."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    http_method_names = [m.lower() for m in METHODS]  # noqa: RUF012 - its type in Django
    schema = None

    def receive(self, request: Request, token: str) -> Response:
        inspector = find_inspector(token)
        refuse_if_full(token)
        delivery = received_by(inspector, request._request)
        keep_request(token, show(inspector, delivery))
        return Response({"success": True, "status": "shown"})

    get = post = put = patch = delete = receive

    def handle_exception(self, exc: Exception) -> Response:
        response: Any = super().handle_exception(exc)
        response.data |= {"success": False, "error": response.data["detail"]}
        return response  # type: ignore[no-any-return]  # DRF's stub says Response


class OpenInspectorSerializer(StrictSerializer):
    """With an endpoint or a type, each request says what the door would say to it."""

    endpoint_id = serializers.UUIDField(required=False)
    type = serializers.CharField(required=False, max_length=50)

    def validate_endpoint_id(self, value: UUID) -> UUID:
        if not WebhookEndpoint.objects.filter(pk=value).exists():
            raise serializers.ValidationError("There is no such endpoint.")
        return value

    def validate_type(self, value: str) -> str:
        if value.lower() not in known_slugs():
            raise serializers.ValidationError("There is no such webhook type.")
        return value.lower()


class InspectorSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    url = serializers.URLField()
    expires_at = serializers.DateTimeField()
    type = serializers.CharField(source="type_slug")
    endpoint_id = serializers.UUIDField(allow_null=True)


class InspectedSerializer(InspectorSerializer):
    """What came, newest first; a body that is not text is in `body_base64`."""

    requests = serializers.ListField(child=serializers.DictField())


class InspectorsView(APIView):
    """Makes test-mode URLs: what is sent to one is shown for an hour."""

    queryset = Delivery.objects.all()
    permission_classes = (ChangePermissions,)

    @extend_schema(
        request=OpenInspectorSerializer, responses={201: InspectorSerializer}
    )
    def post(self, request: Request) -> Response:
        serializer = OpenInspectorSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        inspector = open_inspector(
            type_slug=fields.get("type", ""), endpoint_id=fields.get("endpoint_id")
        )
        location = reverse(
            "delivery-inspector", kwargs={"token": inspector.token}, request=request
        )
        return Response(
            InspectorSerializer(inspector).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": location},
        )


class InspectorOfTokenView(APIView):
    """What a test-mode URL has received so far."""

    queryset = Delivery.objects.all()

    @extend_schema(responses=InspectedSerializer)
    def get(self, request: Request, token: str) -> Response:
        inspector = find_inspector(token)
        return Response(inspected(inspector))


def inspected(inspector: Inspector) -> dict[str, Any]:
    """Return a test-mode URL and what came by it."""
    requests = shown_requests(inspector.token)
    return {**InspectorSerializer(inspector).data, "requests": requests}
