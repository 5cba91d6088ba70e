from __future__ import annotations

from uuid import UUID

from events.models import Inbox
from executions.models import OPEN_STATUSES, TriggerExecution


def what_became_of(event_id: UUID) -> list[dict[str, object]] | None:
    """Return the executions of an event; None while something is left to decide.

    For callers outside who wait: ids and states, and nothing that a trigger holds.
    """
    if Inbox.objects.filter(pk=event_id).exists():
        return None
    rows = TriggerExecution.objects.filter(event_id=event_id).order_by("id")
    found = list(rows.values_list("id", "trigger_id", "status", "reason", "task_id"))
    if any(status in OPEN_STATUSES for _, _, status, _, _ in found):
        return None
    return [
        {
            "execution_id": str(execution_id),
            "trigger_id": str(trigger_id),
            "status": status,
            "reason": reason,
            "task_id": _text(task_id),
        }
        for execution_id, trigger_id, status, reason, task_id in found
    ]


def _text(task_id: UUID | None) -> str | None:
    return None if task_id is None else str(task_id)
