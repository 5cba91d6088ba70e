"""The admin of users who are bound to a subject, or may not see payloads."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from access.roles import ADMIN
from tests.access.people import make_user
from tests.access.subjects import Rows
from tests.access.subjects import acme as acme
from tests.access.subjects import everyone as everyone
from tests.access.subjects import other as other
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

ADMIN_LISTS = (
    *("triggers_trigger", "executions_triggerexecution", "events_event"),
    *("agents_agenttask", "webhooks_webhookendpoint", "webhooks_delivery"),
    *("webhooks_rejection", "triggers_triggerstats"),
)


@pytest.fixture
def pages(client: Client) -> Client:
    client.force_login(make_user(ADMIN, subject="acme"))
    return client


@pytest.mark.usefixtures("everyone")
@pytest.mark.parametrize("name", ADMIN_LISTS)
def test_pages_list_only_the_subject(
    pages: Client, acme: Rows, other: Rows, name: str
) -> None:
    page = pages.get(reverse(f"admin:{name}_changelist"), {"q": ""}).content.decode()

    shown = set(re.findall(r"([0-9a-f-]{36})/change/", page))
    assert shown <= {*acme.ids, str(acme.trigger.agent_id)}
    assert shown
    assert other.trigger.name not in page


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("triggers_trigger", "trigger"),
        ("executions_triggerexecution", "execution"),
        ("events_event", "event"),
        ("agents_agenttask", "task"),
        ("webhooks_webhookendpoint", "endpoint"),
        ("webhooks_delivery", "event"),
        ("webhooks_rejection", "rejection"),
    ],
)
@pytest.mark.parametrize("page", ["change", "history"])
def test_pages_of_foreign_rows_do_not_exist(
    pages: Client, acme: Rows, other: Rows, name: str, attribute: str, page: str
) -> None:
    def status_of(rows: Rows) -> int:
        pk = getattr(rows, attribute).pk
        return pages.get(reverse(f"admin:{name}_{page}", args=[pk])).status_code

    assert status_of(acme) == 200
    assert status_of(other) == 302  # to the index, with a message


def test_pages_of_internal_tables_are_closed(pages: Client) -> None:
    for name in ("events_inbox", "agents_worker", "auth_user", "executions_drainlease"):
        assert pages.get(reverse(f"admin:{name}_changelist")).status_code == 403


@pytest.mark.parametrize(
    ("app", "model", "field"),
    [
        ("executions", "triggerexecution", "trigger"),
        ("webhooks", "delivery", "endpoint"),
        ("triggers", "trigger", "endpoint"),
    ],
)
def test_autocompletion_offers_only_the_subject(
    pages: Client, acme: Rows, other: Rows, app: str, model: str, field: str
) -> None:
    query = {"app_label": app, "model_name": model, "field_name": field, "term": ""}

    found = pages.get(reverse("admin:autocomplete"), query).json()["results"]

    assert {one["id"] for one in found} <= acme.ids
    assert found


def test_a_filter_does_not_name_a_foreign_row(pages: Client, other: Rows) -> None:
    url = reverse("admin:executions_triggerexecution_changelist")

    page = pages.get(url, {"trigger__id__exact": str(other.trigger.pk)})

    assert other.trigger.name not in page.content.decode()


@pytest.mark.parametrize("term", ["name of", "id"])
def test_the_search_of_all_pages_finds_only_the_subject(
    pages: Client, acme: Rows, other: Rows, term: str
) -> None:
    term = str(other.trigger.pk) if term == "id" else term

    query = {"s": term, "extended": "1"}
    found = pages.get(reverse("admin:search"), query).content.decode()

    assert other.trigger.name not in found
    assert (acme.trigger.name in found) == (term == "name of")


def test_actions_skip_foreign_rows(pages: Client, acme: Rows, other: Rows) -> None:
    body = {
        "action": "disable",
        "_selected_action": [str(acme.trigger.pk), str(other.trigger.pk)],
    }

    pages.post(reverse("admin:triggers_trigger_changelist"), body)

    states = Trigger.objects.order_by("name").values_list("subject", "is_active")
    assert list(states) == [("acme", False), ("other", True)]


def test_a_bound_administrator_cannot_unbind(pages: Client) -> None:
    user = User.objects.get(subject_binding__subject="acme")

    url = reverse("admin:auth_user_change", args=[user.pk])

    assert pages.get(url).status_code == 403


@pytest.mark.parametrize("name", ["events_event", "agents_agenttask"])
def test_pages_leave_out_payloads(client: Client, acme: Rows, name: str) -> None:
    row = acme.event if name == "events_event" else acme.task
    url = reverse(f"admin:{name}_change", args=[row.pk])

    client.force_login(make_user("Editor"))
    without = client.get(url).content.decode()
    client.force_login(make_user(ADMIN))
    whole = client.get(url).content.decode()

    assert "acme-body" not in without
    assert "acme-body" in whole
