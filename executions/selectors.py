from __future__ import annotations

from uuid import UUID

from events.models import Inbox
from executions.models import OPEN_STATUSES, TriggerExecution


def event_outcome(event_id: UUID) -> list[TriggerExecution] | None:
    """Return an event's executions; None while something is still to be decided."""
    if Inbox.objects.filter(pk=event_id).exists():
        return None
    executions = list(TriggerExecution.objects.filter(event_id=event_id))
    if any(execution.status in OPEN_STATUSES for execution in executions):
        return None
    return executions
