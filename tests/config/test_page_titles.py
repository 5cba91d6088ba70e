"""Titles, headings and paths of admin pages are in the words of the navigation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.contrib import admin as site
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from django_celery_results.models import TaskResult

from access.keys import create_key
from access.tokens import create_token
from agents.models import AgentTask, Worker
from common.ids import uuid7
from common.wording import time_text
from config.admin_site import INTERNAL_TABLES
from config.navigation import PARENTS, UNFOLD
from events.models import Event
from executions.models import DrainLease, ExecutionTrace, TriggerExecution
from tests.executions.retention.old import make_event, make_execution
from tests.factories import make_agent, make_task, make_trigger
from tests.webhooks.received import accept, make_endpoint, reject
from tests.webhooks.uploads import PARCELS
from triggers.clocks.mirror import mirror_name
from triggers.models import StatsDelta, Trigger, TriggerStats
from webhooks.models import Delivery, PendingFetch, WebhookEndpoint
from webhooks.types import upload_type

pytestmark = pytest.mark.django_db

PAGES = ("changelist", "add", "change", "delete", "history")
UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}", re.IGNORECASE)
# Parts of names in the code: snake_case and ClassNames; GitHub is a name of its own.
CODE = re.compile(r"\w_\w|(?!GitHub)\b[A-Z][a-z]+[A-Z][a-z]+")
# Types of events and names of Celery tasks.
DOTTED = re.compile(r"\b[a-z_]+(\.[a-z_]+)+")
AT = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def url_of(row: Model, page: str = "change") -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}"
    return reverse(name, args=[row.pk] if page in PAGES[2:] else [])


def title_of(html: str) -> str:
    return unescape(html.partition("<title>")[2].partition("</title>")[0]).strip()


def heading_of(html: str) -> str:
    return html.partition("<h1")[2].partition("</h1>")[0]


def path_of(html: str) -> list[str]:
    """Return the texts of a page's path, as they are in its heading."""
    text = re.sub(r"<[^>]*>", "", heading_of(html).partition(">")[2])
    return [unescape(part).strip() for part in text.split("chevron_right")]


def read(pages: Client, row: Model, page: str = "change") -> tuple[str, list[str]]:
    """Return title and path of a page."""
    response = pages.get(url_of(row, page))
    assert response.status_code == 200
    html = response.content.decode()
    return title_of(html), path_of(html)


def make_rows(admin: User) -> None:
    """Make a row of every model that has a page."""
    now = timezone.now()
    hook = make_trigger(
        name="Push", trigger_type="webhook", webhook={"type_slug": "generic"}
    )
    assert hook.endpoint is not None
    accept(hook.endpoint)
    reject(hook.endpoint)
    daily = make_trigger(trigger_type="cron", schedule_type="daily")
    make_execution(make_event(days=1, is_waiting=True))
    upload_type(document=PARCELS)
    create_token(user=admin)
    create_key(owner=admin, name="Report", scopes=["triggers:read"])
    every = IntervalSchedule.objects.create(every=1, period="days")
    solar = SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1)
    for name, schedule in (("daily", {"interval": every}), ("sun", {"solar": solar})):
        PeriodicTask.objects.create(name=name, task="report", **schedule)
    rows: Iterable[Model] = (
        Group(name="Writers"),
        ClockedSchedule(clocked_time=now),
        Worker(id=uuid7(), name="worker@host", started_at=now, seen_at=now),
        DrainLease(worker="worker@host", event_ids=[uuid7()], created_at=now),
        StatsDelta(trigger_id=daily.pk, total=3),
        PendingFetch(kind="certificate", url="https://a.test/x", next_attempt_at=now),
        TaskResult(task_id=f"{uuid7()}:1", task_name="shop.thank", result="{}"),
    )
    for row in rows:
        row.save()


def pages_of(client: Client, model_admin: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the HTML of each page of a model that one may open."""
    model = model_admin.model
    rows = list(model._default_manager.all()[:3])
    assert rows, model
    for page in PAGES:
        for row in rows if page in PAGES[2:] else rows[:1]:
            response = client.get(url_of(row, page))
            if response.status_code == 200:
                yield page, response.content.decode()


def test_titles_have_no_ids_or_names_of_the_code_and_paths_lead_to_pages(
    pages: Client, admin: User
) -> None:
    make_rows(admin)
    found = [
        (model, page, html)
        for model, model_admin in site.site._registry.items()
        for page, html in pages_of(pages, model_admin)
    ]
    texts = [
        (model._meta.label, page, DOTTED.sub("", text))
        for model, page, html in found
        for text in (title_of(html), *path_of(html))
    ]

    assert [t for t in texts if UUID.search(t[2]) or CODE.search(t[2])] == []
    seen = {(model, page) for model, page, _ in found}
    assert {(model, "change") for model in site.site._registry} <= seen
    links = {
        link
        for _, _, html in found
        for link in re.findall(r'href="([^"]*)"', heading_of(html))
    }
    assert {url: pages.get(url).status_code for url in links} == dict.fromkeys(
        links, 200
    )


def test_each_list_has_the_name_that_the_navigation_gives_it(pages: Client) -> None:
    named = {
        urlsplit(str(item["link"])).path: [item["title"]]
        for group in UNFOLD["SIDEBAR"]["navigation"]
        for item in group["items"]
    }
    tabs = {item["title"]: item for tab in UNFOLD["TABS"] for item in tab["items"]}
    for title, label in (
        ("Deliveries", "webhooks.delivery"),
        ("Tasks", "agents.agenttask"),
    ):
        named[str(tabs[title]["link"])] = [PARENTS[label][0], title]
    for title, table, _ in INTERNAL_TABLES:
        if not site.site.is_registered(apps.get_model(table)):
            continue
        url = reverse(f"admin:{table.replace('.', '_')}_changelist")
        named[url] = ["Internals", title]
    named[reverse("admin:internals")] = ["Internals"]

    shown = {url: pages.get(url).content.decode() for url in named}

    assert {url: path_of(html) for url, html in shown.items()} == named
    assert {url: title_of(html) for url, html in shown.items()} == {
        url: f"{path[-1]} | Tickhook" for url, path in named.items()
    }


def test_a_list_above_that_one_may_not_view_is_left_out(client: Client) -> None:
    ben = User.objects.create_user("ben", is_staff=True)
    ben.user_permissions.set(
        Permission.objects.filter(codename__in=["view_agenttask", "view_worker"])
    )
    client.force_login(ben)
    task = make_task(title="Write the report")
    now = timezone.now()
    worker = Worker.objects.create(id=uuid7(), name="w", started_at=now, seen_at=now)

    assert read(client, task)[1] == ["Tasks", "Write the report"]
    assert read(client, worker)[1] == ["Workers", "w"]


def test_an_execution_is_named_by_its_trigger_and_time(pages: Client) -> None:
    trigger = make_trigger(name="Nightly report")
    execution = make_execution(make_event(days=1), trigger=trigger)
    TriggerExecution.objects.update(executed_at=AT)
    trace = ExecutionTrace.objects.get(pk=execution.pk)
    name = f"Nightly report · {time_text(AT)}"

    assert read(pages, execution) == (f"{name} | History | Tickhook", ["History", name])
    assert read(pages, trace)[1] == ["Internals", "Evaluation traces", name]


def test_the_time_in_a_heading_is_one_for_the_zone_of_the_viewer(pages: Client) -> None:
    event = make_event(days=1)
    Event.objects.update(received_at=AT)
    html = pages.get(url_of(event)).content.decode()

    assert (
        'invoice.paid · <time datetime="2026-11-30T14:05:00Z" data-t="short">'
        in heading_of(html)
    )
    assert path_of(html) == ["Events", f"invoice.paid · {time_text(AT)}"]


@pytest.mark.parametrize(
    ("names", "heading"),
    [
        (["Push to main"], "GitHub for Push to main"),
        (["Push to main", "Issues"], "GitHub for 2 triggers"),
    ],
)
def test_an_endpoint_is_named_by_its_sender_and_triggers(
    pages: Client, names: list[str], heading: str
) -> None:
    endpoint = make_endpoint(type_slug="github")
    agent = make_agent()
    for name in names:
        make_trigger(name=name, agent=agent, trigger_type="webhook", endpoint=endpoint)

    assert read(pages, endpoint)[1] == ["Webhooks", heading]


def test_an_endpoint_without_triggers_is_named_by_its_sender(pages: Client) -> None:
    endpoint = make_endpoint(type_slug="github")

    assert read(pages, endpoint)[1] == ["Webhooks", "GitHub"]


def test_a_delivery_and_a_refused_one_have_names(pages: Client) -> None:
    endpoint = make_endpoint(type_slug="generic")
    accept(endpoint)
    reject(endpoint, received_at=AT)
    accepted = Delivery.objects.get(outcome="accepted")
    rejected = Delivery.objects.get(outcome="rejected")

    assert read(pages, accepted)[1] == ["Webhooks", "Deliveries", str(accepted)]
    assert str(accepted).startswith(f"{accepted.event_type} · ")
    assert read(pages, rejected)[1][-1] == f"refused delivery · {time_text(AT)}"


def test_the_copy_of_a_schedule_is_named_by_its_trigger(pages: Client) -> None:
    trigger = make_trigger(
        name="Nightly report", trigger_type="cron", schedule_type="daily"
    )
    task = PeriodicTask.objects.get(name=mirror_name(trigger.pk))

    assert read(pages, task)[1][-1] == "Schedule of Nightly report"


@pytest.mark.parametrize(
    ("page", "title", "path"),
    [
        ("change", "nightly | Triggers | Tickhook", ["Triggers", "nightly"]),
        ("add", "Add trigger | Tickhook", ["Triggers", "Add"]),
        ("delete", "nightly | Delete | Tickhook", ["Triggers", "nightly", "Delete"]),
        ("history", "nightly | Changes | Tickhook", ["Triggers", "nightly", "Changes"]),
    ],
)
def test_each_page_of_a_trigger_says_what_it_is(
    pages: Client, page: str, title: str, path: list[str]
) -> None:
    assert read(pages, make_trigger(name="nightly"), page) == (title, path)


def test_the_page_of_a_password_says_what_it_is(pages: Client, admin: User) -> None:
    url = reverse("admin:auth_user_password_change", args=[admin.pk])

    html = pages.get(url).content.decode()

    assert path_of(html) == ["Users", "ana", "Change password"]


def test_only_a_row_that_people_can_change_has_a_page_of_changes(pages: Client) -> None:
    task, trigger = make_task(), make_trigger()

    assert url_of(task, "history") not in pages.get(url_of(task)).content.decode()
    assert url_of(trigger, "history") in pages.get(url_of(trigger)).content.decode()


@pytest.mark.parametrize(
    ("model", "text", "button"),
    [
        (Trigger, "No triggers yet.", reverse("admin:triggers_trigger_add")),
        (WebhookEndpoint, "No webhooks yet.", reverse("admin:triggers_trigger_add")),
        (TriggerExecution, "Nothing has happened yet.", None),
        (AgentTask, "No tasks yet.", None),
    ],
)
def test_an_empty_list_says_what_would_be_there(
    pages: Client, model: type[Model], text: str, button: str | None
) -> None:
    html = pages.get(url_of(model(), "changelist")).content.decode()
    content = html.partition('id="content-main"')[2]

    assert text in content
    assert button is None or f'href="{button}"' in content


def test_an_empty_list_with_a_filter_offers_to_clear_it(pages: Client) -> None:
    make_trigger(name="nightly")

    html = pages.get(reverse("admin:triggers_trigger_changelist"), {"q": "x"})

    assert "No trigger matches." in html.content.decode()
    assert "Clear filters" in html.content.decode()


def test_statistics_are_named_by_their_trigger() -> None:
    trigger = make_trigger(name="nightly")

    assert str(TriggerStats.objects.get(trigger=trigger)) == "nightly"


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(timezone.now().year, 3, 1, 9, 5, tzinfo=UTC), "1 Mar 09:05 UTC"),
        (datetime(2019, 12, 31, 23, 59, tzinfo=UTC), "31 Dec 2019 23:59 UTC"),
    ],
)
def test_a_time_in_a_title_has_its_zone(at: datetime, text: str) -> None:
    assert time_text(at) == text
