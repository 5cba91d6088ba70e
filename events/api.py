from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from access.callers import caller_of
from access.policy import Act, log_payload_read, own_subject, visible
from access.serializers import PayloadListSerializer, PayloadSerializer
from common.api.defaults import RawBytesRenderer
from common.api.lists import AnyCaseChoiceFilter, SinceFilter, UntilFilter
from common.api.serializers import JSONObjectField, StrictSerializer
from common.api.views import StrictAPIView
from events.access import EVENT_PAYLOADS, EVENT_TYPES, EVENTS
from events.models import Event, EventSource, EventType
from events.services.bodies import read_body
from events.services.emit import UnknownCause, emit

EVENT_FIELDS: tuple[str, ...] = (
    "id", "type", "source", "subject", "content_type", "body_size", "request",
    "endpoint_id", "trigger_id", "delivery_id", "scheduled_for", "received_at",
    "correlation_id", "cause_id", "depth", "replay_of", "erased_at", "read_as",
    "warnings",
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

    `cause_id` is the event that caused this one.
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
                {
                    "customer_id": [
                        "Is another name of subject, but the two values differ."
                    ]
                }
            )
        return attrs


class EmittedSerializer(serializers.Serializer[Any]):
    """The recorded event; for a duplicate, the one that was recorded first.

    `triggered_workflows` is the number of tasks that came of it; null until it is
    known, and for users who may not see executions.
    """

    event_id = serializers.UUIDField()
    duplicate = serializers.BooleanField(source="is_duplicate")
    type = serializers.CharField()
    payload = JSONObjectField()
    subject = serializers.CharField()
    customer_id = serializers.CharField()
    timestamp = serializers.DateTimeField(allow_null=True)
    triggered_workflows = serializers.IntegerField(allow_null=True)


@extend_schema_field(OpenApiTypes.OBJECT)
class RequestField(serializers.JSONField):
    """The stored parts of a request: method, headers, query, remote address."""


class EventSerializer(PayloadSerializer[Event]):
    """An event. `read_as` is `json` for JSON that was declared as something else.

    `warnings` say how the body differs from its content type. `request` is null without
    the right to payloads. With `erased_at`, the data of its subject was erased: the
    event has no subject, body or request.
    """

    payload_act = EVENT_PAYLOADS
    payload_members = ("request",)

    request = RequestField(read_only=True, allow_null=True)
    read_as = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()

    class Meta:
        model = Event
        list_serializer_class = PayloadListSerializer
        fields = EVENT_FIELDS
        read_only_fields = fields

    def get_read_as(self, event: Event) -> str | None:
        return (event.request or {}).get("read_as")

    def get_warnings(self, event: Event) -> list[str]:
        return list((event.request or {}).get("warnings", ()))


OCTET_STREAM = RawBytesRenderer.media_type


class EventTypeViewSet(
    StrictAPIView,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    GenericViewSet[EventType],
):
    acts = EVENT_TYPES
    queryset = EventType.objects.all()
    serializer_class = EventTypeSerializer
    filterset_fields = ("category",)
    lookup_value_converter = "str"

    def get_object(self) -> EventType:
        if not self.kwargs["pk"].isprintable():
            raise Http404
        return super().get_object()


class EventFilter(filters.FilterSet):
    type = filters.CharFilter()
    source = AnyCaseChoiceFilter(choices=EventSource.choices)
    endpoint_id = filters.UUIDFilter()
    trigger_id = filters.UUIDFilter()
    delivery_id = filters.CharFilter()
    subject = filters.CharFilter()
    start_date = SinceFilter("received_at")
    end_date = UntilFilter("received_at")
    start_time = SinceFilter("received_at")
    end_time = UntilFilter("received_at")

    class Meta:
        model = Event
        fields = ()


class EventViewSet(StrictAPIView, ReadOnlyModelViewSet[Event]):
    acts: ClassVar[Mapping[str, Act]] = {**EVENTS, "body": EVENT_PAYLOADS}
    filterset_class = EventFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Event]:
        events = Event.objects.defer("body").order_by("-id")
        return visible(events, caller_of(self.request))

    def get_serializer_class(self) -> type[Serializer[Any]]:
        # OPTIONS and the form of the browsable API describe the request.
        is_sent = self.action in ("create", "metadata")
        return EmitSerializer if is_sent else EventSerializer

    @extend_schema(request=EmitSerializer, responses={201: EmittedSerializer})
    def create(self, request: Request) -> Response:
        serializer = EmitSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        caller = caller_of(request)
        fields["subject"] = own_subject(caller, fields.get("subject", ""))
        if "cause_id" in fields and not self._sees(fields["cause_id"]):
            raise UnknownCause
        emitted = emit(fields.pop("type"), fields.pop("payload", {}), **fields)
        location = request.build_absolute_uri(f"{request.path}/{emitted.event_id}")
        return Response(
            EmittedSerializer(emitted).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": location},
        )

    def _sees(self, event_id: UUID) -> bool:
        return self.get_queryset().filter(pk=event_id).exists()

    @extend_schema(responses={(200, OCTET_STREAM): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=(JSONRenderer, RawBytesRenderer))
    def body(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the raw bytes of the body; for a replay, those of the original event.

        Responds with 410 if they were removed by retention or an erasure.
        """
        caller = caller_of(request)
        event = get_object_or_404(visible(Event.objects.all(), caller), pk=pk)
        log_payload_read(caller, "event", pk)
        body = read_body(event)
        headers = {
            "Content-Disposition": f'attachment; filename="{pk}.bin"',
            "X-Content-Type-Options": "nosniff",
        }
        return HttpResponse(body, content_type=OCTET_STREAM, headers=headers)
