from __future__ import annotations

from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from common.admin.display import badge, page_link
from executions.models import TriggerExecution

SHOWN = 20


def latest_executions(rows: QuerySet[TriggerExecution]) -> SafeString:
    """Show the newest of these executions as a small table."""
    newest = rows.select_related("trigger", "task").only(
        "status", "reason", "executed_at", "event_id", "trigger__name", "task__status"
    )
    context = {"rows": [_row(row) for row in newest.order_by("-executed_at")[:SHOWN]]}
    template = "admin/tickhook/latest_executions.html"
    return SafeString(render_to_string(template, context))


def _row(execution: TriggerExecution) -> dict[str, object]:
    task = execution.task
    return {
        "page": page_link("executions_triggerexecution", execution.pk),
        "executed_at": execution.executed_at,
        "status": badge(execution.status),
        "reason": execution.reason,
        "trigger": page_link(
            "triggers_trigger", execution.trigger_id, execution.trigger
        ),
        "event": page_link("events_event", execution.event_id),
        "task": task and page_link("agents_agenttask", task.pk, task.status),
    }
