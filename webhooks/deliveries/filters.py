from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from common.api.filters import (
    AnyCaseChoiceFilter,
    FlagFilter,
    SinceFilter,
    UntilFilter,
)
from webhooks.models import Delivery, DeliveryOutcome

# An id is made by the clock of the web process, `received_at` by the database's.
CLOCK_SKEW = timedelta(hours=1)


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
    """Return the lowest UUIDv7 (RFC 9562) that can be made at an instant."""
    milliseconds = max(0, int(instant.timestamp() * 1000))
    return UUID(int=min(milliseconds, (1 << 48) - 1) << 80)


def _narrowed(rows: Any, look_up: str, at: datetime | None, skew: timedelta) -> Any:
    """Narrow by the id, which begins with the time, and so by the primary key."""
    return rows if at is None else rows.filter(**{look_up: first_id_at(at + skew)})
