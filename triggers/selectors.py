from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from triggers.models import Trigger

UNSHOWN = ("agent__config", "endpoint__secrets", "endpoint__config")


def shown_triggers() -> QuerySet[Trigger]:
    """Return what the API shows of triggers, with what they share endpoints with."""
    rows = Trigger.objects.present().select_related("agent", "endpoint", "stats")
    served = Trigger.objects.present().only("endpoint_id").order_by("id")
    return rows.defer(*UNSHOWN).prefetch_related(
        "subscriptions", Prefetch("endpoint__triggers", served)
    )
