"""Pages and API responses take a constant number of queries for any number of rows."""

from __future__ import annotations

import pytest
from django.contrib import admin as site
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from agents.models import AgentTask
from events.models import Event
from events.services.record import record_events
from executions.models import DrainLease, TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_listener, make_trigger, new_event
from tests.webhooks.received import accept, reject
from triggers.models import Trigger
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

URL = "/api/v1/events"


def queries(client: Client, url: str) -> int:
    """Return how many queries a page takes, when all caches are warm."""
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        response = client.get(url)
    assert response.status_code == 200, response.content[:200]
    return len(captured)


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def add_rows(number: int) -> None:
    """Add rows to every table that has a page, with the rows they link to."""
    for _ in range(number):
        make_listener()
        make_trigger(
            trigger_type="cron", schedule_type="cron", cron_expression="0 9 * * *"
        )
        hook = make_trigger(trigger_type="webhook", webhook={})
        assert hook.endpoint is not None
        accept(hook.endpoint)
        reject(hook.endpoint)
    record_events([new_event() for _ in range(number)])
    drain()
    record_events([new_event() for _ in range(number)])
    DrainLease.objects.create(
        worker="w", event_ids=[], created_at=Event.objects.latest("id").received_at
    )


def test_an_event_shows_its_first_50_executions_and_the_url_of_all(
    api: APIClient,
) -> None:
    for _ in range(51):
        make_listener()
    event = new_event()
    record_events([event])
    drain()

    shown = api.get(f"{URL}/{event.id}").json()

    assert (len(shown["executions"]), shown["executions_count"]) == (50, 51)
    page = api.get(shown["executions_url"]).json()
    assert page["total_count"] == 51
    first = TriggerExecution.objects.order_by("id").values_list("pk", flat=True)[:50]
    assert [found["id"] for found in shown["executions"]] == list(map(str, first))


def test_the_queries_for_an_event_do_not_grow_with_its_executions(
    api: APIClient,
) -> None:
    counts = []
    for listeners in (1, 4):
        for _ in range(listeners):
            make_listener()
        event = new_event()
        record_events([event])
        drain()
        counts.append(queries(api, f"{URL}/{event.id}"))

    assert counts[0] == counts[1]


def test_the_executions_of_an_event_are_read_without_its_body(api: APIClient) -> None:
    make_listener()
    event = new_event(body=b'{"large": true}')
    record_events([event])
    drain()

    with CaptureQueriesContext(connection) as captured:
        api.get(f"{URL}/{event.id}")

    assert not [q for q in captured.captured_queries if '"body"' in q["sql"]]


@pytest.mark.parametrize("model", ["triggers_trigger", "events_event"])
def test_the_queries_for_a_page_do_not_grow_with_its_executions(
    model: str, pages: Client
) -> None:
    trigger, event = make_listener(), new_event()
    url = reverse(
        f"admin:{model}_change",
        args=[event.id if model == "events_event" else trigger.pk],
    )
    record_events([event])
    drain()
    few = queries(pages, url)
    for _ in range(4):
        other = make_listener()
        TriggerExecution.objects.create(
            trigger=other,
            event_id=event.id,
            status="skipped",
            executed_at=trigger.created_at,
            trigger_version=1,
        )
    record_events([new_event() for _ in range(4)])
    drain()

    assert queries(pages, url) == few


def test_no_list_of_the_admin_takes_a_query_for_each_row(pages: Client) -> None:
    urls = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in site.site._registry
    ]
    add_rows(1)
    few = {url: queries(pages, url) for url in urls}
    add_rows(3)
    many = {url: queries(pages, url) for url in urls}

    assert {u: (few[u], many[u]) for u in urls if many[u] > few[u]} == {}


@pytest.mark.parametrize("path", ["triggers", "executions", "events", "deliveries"])
def test_no_list_of_the_api_takes_a_query_for_each_row(
    path: str, api: APIClient
) -> None:
    url = f"/api/v1/{path}"
    add_rows(1)
    few = queries(api, url)
    add_rows(3)

    assert queries(api, url) == few


def test_other_pages_take_a_constant_number_of_queries(pages: Client) -> None:
    add_rows(1)
    rows = (Trigger, AgentTask, WebhookEndpoint)
    urls = [
        reverse(
            f"admin:{m._meta.app_label}_{m._meta.model_name}_change",
            args=[m._default_manager.latest("created_at").pk],
        )
        for m in rows
    ]
    few = [queries(pages, url) for url in urls]
    add_rows(3)

    assert [queries(pages, url) for url in urls] == few
