from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access.callers import caller_of
from access.policy import Act, log_payload_read
from common.api.serializers import StrictSerializer
from common.api.views import StrictAPIView
from webhooks.access import DELIVERY_PAYLOADS, TEST_ENDPOINTS, sees_endpoint
from webhooks.endpoints.lifecycle import METHODS
from webhooks.inspectors.inspection import describe, read_request
from webhooks.inspectors.store import (
    InspectorNotFound,
    find_inspector,
    list_requests,
    open_inspector,
    require_space,
    store_request,
)
from webhooks.receiver.view import AlwaysJSON
from webhooks.types import explain_unknown, find_named


class OpenInspectorSerializer(StrictSerializer):
    """With an endpoint or a type, each request shows whether it would be accepted."""

    endpoint_id = serializers.UUIDField(required=False)
    type = serializers.CharField(required=False, max_length=50)

    def validate_endpoint_id(self, value: UUID) -> UUID:
        if not sees_endpoint(caller_of(self.context["request"]), value):
            raise serializers.ValidationError("There is no endpoint with this id.")
        return value

    def validate_type(self, value: str) -> str:
        definition = find_named(value)
        if definition is None:
            raise serializers.ValidationError(explain_unknown(value))
        return definition.slug


class InspectorSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    url = serializers.URLField()
    expires_at = serializers.DateTimeField()
    type = serializers.CharField(source="type_slug")
    endpoint_id = serializers.UUIDField(allow_null=True)


class InspectedSerializer(InspectorSerializer):
    """The requests, newest first; a body that is not text is in `body_base64`."""

    requests = serializers.ListField(child=serializers.DictField())


class InspectorsView(StrictAPIView):
    """Opens test-mode URLs, which show the requests sent to them for an hour."""

    acts: ClassVar[Mapping[str, Act]] = {"post": TEST_ENDPOINTS}

    @extend_schema(
        request=OpenInspectorSerializer, responses={201: InspectorSerializer}
    )
    def post(self, request: Request) -> Response:
        serializer = OpenInspectorSerializer(
            data=request.data, context={"request": request}
        )
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


class InspectorOfTokenView(StrictAPIView):
    """Shows what a test-mode URL has received so far."""

    acts: ClassVar[Mapping[str, Act]] = {"get": DELIVERY_PAYLOADS}

    @extend_schema(responses=InspectedSerializer)
    def get(self, request: Request, token: str) -> Response:
        found = find_inspector(token)
        caller = caller_of(request)
        if found.endpoint_id and not sees_endpoint(caller, found.endpoint_id):
            raise InspectorNotFound
        log_payload_read(caller, "inspector of endpoint", found.endpoint_id)
        inspector = InspectorSerializer(found).data
        return Response({**inspector, "requests": list_requests(token)})


class InspectorView(APIView):
    """The test-mode URL: it accepts any method and never creates an event."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    http_method_names = [m.lower() for m in METHODS]  # noqa: RUF012 - its type in Django
    schema = None

    def receive(self, request: Request, token: str) -> Response:
        inspector = find_inspector(token)
        require_space(token)
        received = read_request(inspector, request._request)
        store_request(token, describe(inspector, received))
        return Response({"success": True, "status": "shown"})

    get = post = put = patch = delete = receive

    def handle_exception(self, exc: Exception) -> Response:
        response: Any = super().handle_exception(exc)
        response.data |= {"success": False, "error": response.data["detail"]}
        return response  # type: ignore[no-any-return]  # DRF's stub says Response
