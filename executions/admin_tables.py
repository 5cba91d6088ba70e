from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from agents.wording import TASK_STATUSES
from common.admin.display import NOTHING, list_link, page_link, time_tag, word
from executions.models import Reason, TriggerExecution
from executions.pipeline.admit import used_this_hour
from executions.services.ledger import Ledger, read_ledger
from executions.services.ledger_entries import LedgerEntry
from executions.wording import EXECUTION_STATUSES, OCCURRENCE_STATUSES, reason_text
from triggers.models import Trigger

SHOWN = 20


def latest_executions(rows: QuerySet[TriggerExecution]) -> SafeString:
    """Show the newest of these executions as a small table."""
    newest = rows.select_related("trigger", "task").only(
        "status", "reason", "executed_at", "event_id", "trigger__name", "task__status"
    )
    context = {
        "rows": [_execution_row(row) for row in newest.order_by("-executed_at")[:SHOWN]]
    }
    template = "admin/tickhook/latest_executions.html"
    return SafeString(render_to_string(template, context))


def _execution_row(execution: TriggerExecution) -> dict[str, object]:
    task = execution.task
    return {
        "page": page_link(
            "executions_triggerexecution",
            execution.pk,
            time_tag(execution.executed_at),
        ),
        "status": word(execution.status, EXECUTION_STATUSES),
        "reason": reason_text(execution.reason),
        "trigger": page_link(
            "triggers_trigger", execution.trigger_id, execution.trigger
        ),
        "event": page_link("events_event", execution.event_id, "event"),
        "task": _task_link(task.pk, task.status) if task else NOTHING,
    }


def hourly_use(trigger: Trigger) -> SafeString:
    """Show how much of its hourly limit a trigger has used, and what it skipped."""
    limit, used = trigger.max_executions_per_hour, used_this_hour([trigger])
    skipped = TriggerExecution.objects.filter(
        trigger=trigger,
        reason=Reason.RATE_LIMITED,
        executed_at__gt=timezone.now() - timedelta(hours=1),
    )[: MAX_ENTRIES + 1].count()
    text = f"{used[trigger.pk]:,} of {limit:,} used in the last 60 minutes"
    if not skipped:
        return conditional_escape(text)
    shown = f"{skipped:,}" if skipped <= MAX_ENTRIES else f"more than {MAX_ENTRIES:,}"
    events = list_link(
        "executions_triggerexecution",
        f"{shown} skipped",
        trigger__id__exact=trigger.pk,
        reason=Reason.RATE_LIMITED.value,
    )
    return format_html("{}, {}", text, events)


MAX_ENTRIES = 1500
_WINDOWS = (
    ("minute", timedelta(minutes=1)),
    ("hour", timedelta(hours=1)),
    ("24 hours", timedelta(days=1)),
)


def latest_ledger(trigger: Trigger) -> SafeString:
    """Show the latest occurrences of a trigger and their results as a small table.

    For a fast schedule only the last hour or minute is read, because a page cannot show
    thousands of occurrences.
    """
    window, ledger = _read_longest(trigger)
    newest = reversed(ledger.entries[-SHOWN:])
    context = {
        "window": window,
        "counts": {
            OCCURRENCE_STATUSES[name].word: count
            for name, count in ledger.counts().items()
            if count
        },
        "rows": [_entry_row(entry) for entry in newest],
        "notes": ledger.notes,
    }
    return SafeString(render_to_string("admin/tickhook/ledger.html", context))


def _read_longest(trigger: Trigger) -> tuple[str, Ledger]:
    """Return the ledger of the longest window whose occurrences fit on a page."""
    for window, length in reversed(_WINDOWS):
        ledger = _ledger_of(trigger, length)
        if ledger.is_complete:
            return window, ledger
    shortest, length = _WINDOWS[0]
    return shortest, _ledger_of(trigger, length)


def _ledger_of(trigger: Trigger, length: timedelta) -> Ledger:
    now = timezone.now()
    return read_ledger(
        trigger_id=trigger.pk, since=now - length, until=now, limit=MAX_ENTRIES
    )


def _entry_row(entry: LedgerEntry) -> dict[str, object]:
    return {
        "scheduled_for": time_tag(entry.scheduled_for, "full"),
        "status": word(entry.status, OCCURRENCE_STATUSES),
        "reason": reason_text(entry.reason) or entry.note,
        "event": page_link("events_event", entry.event_id, "event"),
        "execution": page_link(
            "executions_triggerexecution", entry.execution_id, "what happened"
        ),
        "task": _task_link(entry.task_id, entry.task_status or ""),
    }


def _task_link(pk: UUID | None, status: str) -> SafeString:
    return page_link("agents_agenttask", pk, word(status, TASK_STATUSES))
