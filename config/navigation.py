"""The title of the admin and the links in its side bar."""

from __future__ import annotations

from typing import Any

from django.urls import reverse_lazy


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    app, _, name = model.partition(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


def _group(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Tickhook",
    "SITE_HEADER": "Tickhook",
    "SITE_SUBHEADER": "Schedules, webhooks and events become agent tasks",
    "SITE_SYMBOL": "webhook",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_all_applications": True,
        "navigation": [
            _group(
                "Work",
                _item("Triggers", "bolt", "triggers.trigger"),
                _item("Executions", "history", "executions.triggerexecution"),
                _item("Tasks", "task_alt", "agents.agenttask"),
                _item("Agents", "smart_toy", "agents.agent"),
            ),
            _group(
                "What happened",
                _item("Events", "notifications", "events.event"),
                _item("Inbox", "inbox", "events.inbox"),
                _item("Event types", "category", "events.eventtype"),
            ),
            _group(
                "Webhooks",
                _item("Endpoints", "webhook", "webhooks.webhookendpoint"),
                _item("Deliveries", "move_to_inbox", "webhooks.delivery"),
                _item("Rejections", "block", "webhooks.rejection"),
                _item("Pending fetches", "directions_run", "webhooks.pendingfetch"),
                _item("Types", "description", "webhooks.webhooktype"),
            ),
            _group(
                "Operation",
                _item("Workers", "memory", "agents.worker"),
                _item("Beat's tasks", "schedule", "django_celery_beat.periodictask"),
                _item("Users", "person", "auth.user"),
                _item("API tokens", "key", "access.apitoken"),
            ),
        ],
    },
}
