from __future__ import annotations

from datetime import datetime
from uuid import UUID

from events.models import Event


def last_received_at(endpoint_id: UUID) -> datetime | None:
    """Return when the last event came by an endpoint: one step in an index.

    A replay is not received; those since the last delivery are stepped over.
    """
    came = Event.objects.filter(endpoint_id=endpoint_id, replay_of=None)
    return came.order_by("-id").values_list("received_at", flat=True).first()
