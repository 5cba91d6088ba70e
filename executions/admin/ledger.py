from __future__ import annotations

from datetime import timedelta

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from common.admin.display import badge, page_link
from executions.services.audit.ledger import Ledger, audit_trigger
from executions.services.audit.verdict import Entry
from triggers.models import Trigger

SHOWN = 20
MOST_JUDGED = 1500
_WINDOWS = (
    ("minute", timedelta(minutes=1)),
    ("hour", timedelta(hours=1)),
    ("24 hours", timedelta(days=1)),
)


def latest_ledger(trigger: Trigger) -> SafeString:
    """Show what became of a trigger's latest occurrences as a small table.

    Of a fast schedule, those of the last hour or minute: a page is not for thousands.
    """
    window, ledger = _read(trigger)
    newest = reversed(ledger.entries[-SHOWN:])
    context = {
        "window": window,
        "counts": {name: count for name, count in ledger.counts().items() if count},
        "rows": [_row(entry) for entry in newest],
        "notes": ledger.notes,
    }
    return SafeString(render_to_string("admin/tickhook/ledger.html", context))


def _read(trigger: Trigger) -> tuple[str, Ledger]:
    """Return the ledger of the longest window that is short enough for a page."""
    for window, length in reversed(_WINDOWS):
        ledger = _ledger_of(trigger, length)
        if ledger.is_complete:
            return window, ledger
    shortest, length = _WINDOWS[0]
    return shortest, _ledger_of(trigger, length)


def _ledger_of(trigger: Trigger, length: timedelta) -> Ledger:
    now = timezone.now()
    return audit_trigger(
        trigger_id=trigger.pk, since=now - length, until=now, limit=MOST_JUDGED
    )


def _row(entry: Entry) -> dict[str, object]:
    return {
        "scheduled_for": entry.scheduled_for,
        "status": badge(entry.status.value),
        "reason": entry.reason or entry.note,
        "event": page_link("events_event", entry.event_id),
        "execution": page_link("executions_triggerexecution", entry.execution_id),
        "task": page_link("agents_agenttask", entry.task_id, entry.task_status),
    }
