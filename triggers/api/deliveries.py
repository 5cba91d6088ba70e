from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from triggers.models import Trigger
from triggers.services.endpoints import FOREIGN_ENDPOINT, are_open_to
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
        found = Trigger.objects.present().filter(pk=value, endpoint__isnull=False)
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

    def check_endpoints(self, endpoint_ids: Set[UUID | None]) -> None:
        """Raise PermissionDenied unless the user may use the agents of all triggers."""
        if not are_open_to(self.request.user, endpoint_ids):
            raise PermissionDenied(FOREIGN_ENDPOINT)
