from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from access.callers import caller_of
from access.policy import visible
from triggers.models import Trigger
from triggers.services.endpoints import closed_endpoints
from webhooks.deliveries.serializers import (
    RedeliveredManySerializer,
    RedeliverManySerializer,
)
from webhooks.deliveries.views import DeliveryFilter, DeliveryViewSet
from webhooks.models import Delivery


class DeliveryOfTriggerFilter(DeliveryFilter):
    trigger_id = filters.UUIDFilter(method="of_trigger")

    def of_trigger(
        self, rows: QuerySet[Delivery], name: str, value: UUID
    ) -> QuerySet[Delivery]:
        """Filter by the trigger's endpoint, which can serve other triggers, too."""
        triggers = visible(Trigger.objects.present(), caller_of(self.request))
        found = triggers.filter(pk=value, endpoint__isnull=False)
        endpoint_id = found.values_list("endpoint_id", flat=True).first()
        return rows.filter(endpoint_id=endpoint_id) if endpoint_id else rows.none()


class RedeliverManyOfTriggerSerializer(RedeliverManySerializer):
    trigger_id = serializers.CharField(required=False)


@extend_schema_view(
    redeliver_many=extend_schema(
        request=RedeliverManyOfTriggerSerializer,
        responses={202: RedeliveredManySerializer},
        filters=False,
        operation_id="deliveries_redeliver_many",
    )
)
class DeliveriesOfTriggersViewSet(DeliveryViewSet):
    """Deliveries, which can be filtered by trigger."""

    filterset_class = DeliveryOfTriggerFilter
    many_serializer_class = RedeliverManyOfTriggerSerializer

    def closed_endpoints(self, endpoint_ids: Set[UUID | None]) -> Set[UUID | None]:
        """Return the endpoints of triggers whose agents the caller may not use."""
        return closed_endpoints(caller_of(self.request), endpoint_ids)
