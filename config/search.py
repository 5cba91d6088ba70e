"""What Ctrl-K finds: names, webhook ids, delivery ids and ids of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.contrib.admin import site
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from access.admin.base import BaseAdmin
from access.callers import caller_of
from access.policy import visible
from agents.access import usable_agents
from agents.models import Agent, AgentTask
from events.models import Event
from executions.models import TriggerExecution
from triggers.models import Trigger
from webhooks.models import Delivery, WebhookEndpoint

MAX_OF_EACH = 10

Found = tuple[Model, str, str, str]

_WITH_IDS: tuple[tuple[type[Model], str, str], ...] = (
    (Trigger, "Trigger", "bolt"),
    (TriggerExecution, "History", "history"),
    (Event, "Event", "notifications"),
    (Delivery, "Delivery", "move_to_inbox"),
    (AgentTask, "Task", "task_alt"),
    (Agent, "Agent", "smart_toy"),
    (WebhookEndpoint, "Webhook", "webhook"),
)


def find_pages(request: HttpRequest, search_term: str) -> list[SearchResult]:
    """Return links to the pages that a search term names, if the user may view them.

    unfold caches the answer and lowers the term, but delivery ids have letters of both
    cases: the term of the request is the one that counts.
    """
    term = request.GET.get("s", search_term).strip()
    if not term or "\x00" in term:
        return []
    try:
        found = _with_id(request, UUID(term))
    except ValueError:
        found = _with_name(request, term)
    rows = visible(Delivery.objects.filter(delivery_id=term), caller_of(request))
    rows = rows.only("event_type")[:MAX_OF_EACH]
    deliveries = [(d, d.event_type or term, "Delivery", "move_to_inbox") for d in rows]
    return [
        SearchResult(
            title=title,
            description=kind,
            link=reverse(
                f"admin:{row._meta.app_label}_{row._meta.model_name}_change",
                args=[row.pk],
            ),
            icon=icon,
        )
        for row, title, kind, icon in (*found, *deliveries)
        if request.user.has_perm(f"{row._meta.app_label}.view_{row._meta.model_name}")
    ]


def _with_id(request: HttpRequest, wanted: UUID) -> Iterator[Found]:
    for model, kind, icon in _WITH_IDS:
        model_admin = site._registry[model]
        assert isinstance(model_admin, BaseAdmin)  # noqa: S101 - all pages are
        for row in model_admin.get_queryset(request).filter(pk=wanted):
            yield row, model_admin.title_of(row), kind, icon


def _with_name(request: HttpRequest, term: str) -> Iterator[Found]:
    caller = caller_of(request)
    triggers = visible(Trigger.objects.present(), caller).filter(name__icontains=term)
    for trigger in triggers.only("name").order_by("name")[:MAX_OF_EACH]:
        yield trigger, trigger.name, "Trigger", "bolt"
    agents = usable_agents(caller).filter(name__icontains=term)
    for agent in agents.only("name")[:MAX_OF_EACH]:
        yield agent, agent.name, "Agent", "smart_toy"
    endpoints = visible(WebhookEndpoint.objects.all(), caller)
    endpoints = endpoints.filter(webhook_id__startswith=term)
    for endpoint in endpoints.only("type")[:MAX_OF_EACH]:
        yield endpoint, endpoint.type, "Webhook", "webhook"
