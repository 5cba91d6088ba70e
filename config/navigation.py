"""The title of the admin, its side bar, its tabs, and where Ctrl-K searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, model: str, text: str = "") -> dict[str, Any]:
    """Return a link to the list of a model, for users who may view it."""
    return {"title": title, "icon": icon, "text": text, **_link(model)}


def _link(model: str) -> dict[str, Any]:
    app, _, name = model.partition(".")
    return {
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


def _tabs(**models: str) -> dict[str, Any]:
    items = [{"title": title, **_link(model)} for title, model in models.items()]
    return {"models": list(models.values()), "items": items}


def administers(request: HttpRequest) -> bool:
    """Return whether to show what belongs to no subject; the pages check it again."""
    user: Any = request.user
    is_bound = getattr(user, "subject_binding", None) is not None
    return bool(user.has_perm("access.administer")) and not is_bound


def _static(path: str) -> Callable[[HttpRequest], str]:
    return lambda _: static(path)


# The item of the navigation above a list that has none of its own.
PARENTS = {
    "webhooks.delivery": ("Webhooks", "webhooks.webhookendpoint"),
    "agents.agenttask": ("Agents", "agents.agent"),
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Tickhook",
    "SITE_HEADER": "Tickhook",
    "SITE_SUBHEADER": "Schedules, webhooks and events become agent tasks",
    "SITE_SYMBOL": "webhook",
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [_static("tickhook/tickhook.css")],
    "SCRIPTS": [_static("tickhook/time.js"), _static("tickhook/dialog.js")],
    "COMMAND": {"search_callback": "config.search.find_pages", "search_models": False},
    "ACCOUNT": {
        "navigation": [
            {"title": "Your sessions", "link": reverse_lazy("admin:sessions")},
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
        ]
    },
    "TABS": [
        _tabs(Endpoints="webhooks.webhookendpoint", Deliveries="webhooks.delivery"),
        _tabs(Agents="agents.agent", Tasks="agents.agenttask"),
    ],
    "SIDEBAR": {
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    {
                        "title": "Dashboard",
                        "icon": "dashboard",
                        "link": reverse_lazy("admin:index"),
                    },
                    _item(
                        "Triggers",
                        "bolt",
                        "triggers.trigger",
                        "What starts an agent, when, and under which conditions.",
                    ),
                    _item(
                        "History",
                        "history",
                        "executions.triggerexecution",
                        "What happened: each run and each skip, with the reason.",
                    ),
                    _item(
                        "Webhooks",
                        "webhook",
                        "webhooks.webhookendpoint",
                        "The URLs for your senders, and what arrived there.",
                    ),
                    _item(
                        "Events",
                        "notifications",
                        "events.event",
                        "Everything that was received, scheduled or emitted.",
                    ),
                    _item(
                        "Agents",
                        "smart_toy",
                        "agents.agent",
                        "Who does the work, and the tasks that they got.",
                    ),
                ]
            },
            {
                "title": "Advanced",
                "collapsible": True,
                "separator": True,
                "items": [
                    _item("Webhook types", "description", "webhooks.webhooktype"),
                    _item("Event types", "category", "events.eventtype"),
                    _item("Users", "person", "auth.user"),
                    _item("Groups", "group", "auth.group"),
                    # Everyone manages keys of their own.
                    _item("API keys", "key", "access.apikey")
                    | {"permission": lambda _: True},
                    _item("API tokens", "password", "access.apitoken"),
                    _item(
                        "Audit log",
                        "manage_history",
                        "access.auditlog",
                        "Who changed what, and when.",
                    ),
                ],
            },
            {
                "title": "Internals",
                "collapsible": True,
                "items": [
                    {
                        "title": "Tables and tools",
                        "icon": "database",
                        "link": reverse_lazy("admin:internals"),
                        "permission": administers,
                    },
                ],
            },
        ],
    },
}
