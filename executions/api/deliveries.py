from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from access.callers import caller_of
from access.policy import visible
from executions.models import Reason, TriggerExecution
from triggers.api.deliveries import (
    DeliveriesOfTriggersViewSet,
    DeliveryOfTriggerFilter,
    RedeliverManyOfTriggerSerializer,
)
from webhooks.deliveries.serializers import RedeliveredManySerializer
from webhooks.models import Delivery

REASONS = [(reason.value, reason.value) for reason in Reason]


class DeliveryWithExecutionsFilter(DeliveryOfTriggerFilter):
    """Also filters by the reason of the executions, of the `trigger_id` if given."""

    reason = filters.ChoiceFilter(choices=REASONS, method="with_reason")

    def with_reason(
        self, rows: QuerySet[Delivery], name: str, value: str
    ) -> QuerySet[Delivery]:
        of_event = {"event_id": OuterRef("pk"), "reason": value}
        if trigger_id := self.form.cleaned_data.get("trigger_id"):
            of_event["trigger_id"] = trigger_id
        caller = caller_of(self.request)
        executions = visible(TriggerExecution.objects.filter(**of_event), caller)
        return rows.filter(Exists(executions))


class RedeliverManyWithExecutionsSerializer(RedeliverManyOfTriggerSerializer):
    reason = serializers.CharField(required=False)


@extend_schema_view(
    redeliver_many=extend_schema(
        request=RedeliverManyWithExecutionsSerializer,
        responses={202: RedeliveredManySerializer},
        filters=False,
        operation_id="deliveries_redeliver_many",
    )
)
class DeliveriesWithExecutionsViewSet(DeliveriesOfTriggersViewSet):
    """Deliveries, which can also be filtered by what their executions ended with."""

    filterset_class = DeliveryWithExecutionsFilter
    many_serializer_class = RedeliverManyWithExecutionsSerializer
