from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.functional import cached_property
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import ReadOnlyModelViewSet

from access.callers import caller_of
from access.policy import Act, log_payload_read, visible
from common.api.defaults import RawBytesRenderer
from common.api.lists import (
    AnyCaseChoiceFilter,
    FlagFilter,
    PageNumberPagination,
    SinceFilter,
    UntilFilter,
)
from common.api.views import StrictAPIView
from events.services.bodies import removed
from webhooks.access import (
    DELIVERIES,
    DELIVERY_PAYLOADS,
    FOREIGN_ENDPOINT,
    REDELIVER,
    TEST_ENDPOINTS,
    sees_endpoint,
)
from webhooks.deliveries.redelivery import redeliver, redeliver_many, select_accepted
from webhooks.deliveries.selectors import body_of
from webhooks.deliveries.serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    RedeliveredManySerializer,
    RedeliveredSerializer,
    RedeliveredWithUrlSerializer,
    RedeliverManySerializer,
    RedeliverSerializer,
    SentTestEventSerializer,
    TestEventSerializer,
)
from webhooks.endpoints.sending import EndpointNotFound, send_test_event
from webhooks.models import Delivery, DeliveryOutcome

# Ids are made by the clock of a web process, `received_at` by that of the database.
CLOCK_SKEW = timedelta(hours=1)
MAX_COUNTED = 10_000
OCTET_STREAM = RawBytesRenderer.media_type


class DeliveredSince(SinceFilter):
    def filter(self, qs: Any, value: datetime | None) -> Any:
        return super().filter(_narrowed(qs, "id__gte", value, -CLOCK_SKEW), value)


class DeliveredUntil(UntilFilter):
    def filter(self, qs: Any, value: datetime | None) -> Any:
        return super().filter(_narrowed(qs, "id__lte", value, CLOCK_SKEW), value)


class DeliveryFilter(filters.FilterSet):
    endpoint_id = filters.UUIDFilter()
    outcome = AnyCaseChoiceFilter(choices=DeliveryOutcome.choices)
    cause = filters.CharFilter()
    delivery_id = filters.CharFilter()
    event_type = filters.CharFilter()
    redelivery = FlagFilter(method="only_redeliveries")
    start_date = DeliveredSince("received_at")
    end_date = DeliveredUntil("received_at")
    start_time = DeliveredSince("received_at")
    end_time = DeliveredUntil("received_at")

    class Meta:
        model = Delivery
        fields = ()

    def only_redeliveries(
        self, rows: QuerySet[Delivery], name: str, value: bool
    ) -> QuerySet[Delivery]:
        return rows.filter(replay_of__isnull=not value)


def first_id_at(instant: datetime) -> UUID:
    """Return the lowest UUIDv7 (RFC 9562) of an instant."""
    milliseconds = max(0, int(instant.timestamp() * 1000))
    return UUID(int=min(milliseconds, (1 << 48) - 1) << 80)


def _narrowed(rows: Any, look_up: str, at: datetime | None, skew: timedelta) -> Any:
    """Also filter by the id, which begins with the time, to use the primary key."""
    return rows if at is None else rows.filter(**{look_up: first_id_at(at + skew)})


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # Django's is not generic
    """Counts at most 10,000 rows, because counting millions takes seconds."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MAX_COUNTED + 1].count())


class BoundedPagination(PageNumberPagination):
    """Pages over possibly millions of rows; `at_least` marks an incomplete count.

    Clients reach rows further back with `end_date`.
    """

    django_paginator_class = BoundedPaginator

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        at_least = response.data["total_count"] > MAX_COUNTED
        if at_least:
            response.data |= {"total_count": MAX_COUNTED, "total": MAX_COUNTED}
        response.data["at_least"] = at_least
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"]["at_least"] = {"type": "boolean"}
        described["required"] = list(described["properties"])
        return described


class DeliveryViewSet(StrictAPIView, ReadOnlyModelViewSet[Delivery]):
    """The HTTP attempts of senders: accepted, duplicate, or rejected with a cause."""

    acts: ClassVar[Mapping[str, Act]] = {
        **DELIVERIES,
        "body": DELIVERY_PAYLOADS,
        "redeliver": REDELIVER,
        "redeliver_many": REDELIVER,
        "test": TEST_ENDPOINTS,
    }
    pagination_class = BoundedPagination
    filterset_class = DeliveryFilter
    many_serializer_class = RedeliverManySerializer
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Delivery]:
        rows = visible(Delivery.objects.order_by("-id"), caller_of(self.request))
        return rows.defer("body") if self.action == "list" else rows

    def get_serializer_class(self) -> type[DeliverySerializer]:
        is_list = self.action == "list"
        return DeliverySerializer if is_list else DeliveryDetailSerializer

    @extend_schema(responses={(200, OCTET_STREAM): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=(JSONRenderer, RawBytesRenderer))
    def body(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the raw bytes; of a rejected request, those that were stored."""
        delivery = self.get_object()
        log_payload_read(caller_of(request), "delivery", delivery.pk)
        body = body_of(delivery)
        if body is None:
            raise removed(delivery.event_id)
        headers = {
            "Content-Disposition": f'attachment; filename="{pk}.bin"',
            "X-Content-Type-Options": "nosniff",
        }
        return HttpResponse(body.raw, content_type=OCTET_STREAM, headers=headers)

    @extend_schema(
        request=RedeliverSerializer, responses={202: RedeliveredWithUrlSerializer}
    )
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, pk: UUID) -> Response:
        """Record a new event with the request and body of this delivery."""
        fields = _read(RedeliverSerializer, request)
        delivery = self.get_object()
        self._require_open(delivery.endpoint_id)
        redelivery = redeliver(delivery=delivery, **fields)
        url = reverse(
            "event-detail", kwargs={"pk": redelivery.event_id}, request=request
        )
        answer = {**RedeliveredSerializer(redelivery).data, "status_url": url}
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        request=RedeliverManySerializer,
        responses={202: RedeliveredManySerializer},
        filters=False,
        operation_id="deliveries_redeliver_many",
    )
    @action(detail=False, methods=["post"], url_path="redeliver")
    def redeliver_many(self, request: Request) -> Response:
        """Redeliver the accepted deliveries that the filters find.

        Those for triggers of agents that the caller may not use are left out and
        counted in `not_allowed`.
        """
        fields = _read(self.many_serializer_class, request)
        limit, is_dry = fields.pop("limit"), fields.pop("dry_run")
        key = fields.pop("idempotency_key", "")
        selection = select_accepted(deliveries=self._filtered(fields), limit=limit)
        chosen = selection.without(
            self.closed_endpoints(set(selection.endpoints.values()))
        )
        wanted = [] if is_dry else chosen
        answer = {
            "count": len(chosen),
            "not_allowed": len(selection.endpoints) - len(chosen),
            "dry_run": is_dry,
            "delivery_ids": chosen,
            "redeliveries": redeliver_many(delivery_ids=wanted, idempotency_key=key),
            "next_from": selection.next_from,
        }
        return Response(
            RedeliveredManySerializer(answer).data, status=status.HTTP_202_ACCEPTED
        )

    @extend_schema(
        request=TestEventSerializer, responses=SentTestEventSerializer, filters=False
    )
    @action(detail=False, methods=["post"])
    def test(self, request: Request) -> Response:
        """Send a test event to the receiver, as the endpoint's sender would."""
        fields = _read(TestEventSerializer, request, has_key=False)
        endpoint_id = fields["endpoint_id"]
        if not sees_endpoint(caller_of(request), endpoint_id):
            raise EndpointNotFound
        self._require_open(endpoint_id)
        address = request.META.get("REMOTE_ADDR", "")
        sent = send_test_event(remote_address=address, **fields)
        return Response(SentTestEventSerializer(sent).data)

    def closed_endpoints(self, endpoint_ids: Set[UUID | None]) -> Set[UUID | None]:
        """Return those endpoints to which the caller may not deliver."""
        return set()

    def _require_open(self, endpoint_id: UUID | None) -> None:
        if self.closed_endpoints({endpoint_id}):
            raise PermissionDenied(FOREIGN_ENDPOINT)

    def _filtered(self, given: dict[str, Any]) -> QuerySet[Delivery]:
        if not given:
            raise ValidationError("Give at least one filter, such as endpoint_id.")
        rows = visible(Delivery.objects.all(), caller_of(self.request))
        filterset = self.filterset_class(given, queryset=rows, request=self.request)
        if not filterset.is_valid():
            raise ValidationError(dict(filterset.errors))
        return filterset.qs


def _read(
    serializer_class: Any, request: Request, *, has_key: bool = True
) -> dict[str, Any]:
    """Return the valid fields; the header Idempotency-Key replaces a missing field."""
    data = request.data
    if not isinstance(data, Mapping):
        raise ValidationError("The request's body must be a JSON object.")
    data = {name: data[name] for name in data}
    if has_key and (key := request.headers.get("Idempotency-Key")):
        data.setdefault("idempotency_key", key)
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
