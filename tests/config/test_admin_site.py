"""The admin's navigation, dashboard, page of internal tables, and Ctrl-K."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import unfold
from django.contrib.admin import site as admin_site
from django.contrib.auth.models import Permission, User
from django.template.loader import get_template
from django.test import Client, RequestFactory
from django.urls import reverse
from django_celery_results.models import TaskResult
from pytest_django.asserts import assertContains, assertNotContains

from access.admin.celery_results import TaskResultAdmin
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.services.run import run_trigger
from tests.factories import make_trigger
from tests.webhooks.received import accept, make_endpoint

pytestmark = pytest.mark.django_db

OVERRIDDEN = {
    "header_title": "b126ed2ab9ca16802d6763f49a74ba37b5bab125e5ff1af52a1ed586982dd0f3",
    "dialog": "e961b19a9a2f2175865055d503b887489cde423a7782b676cbe5ba2c9a1f3a35",
}


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def viewer(client: Client) -> Client:
    """Return the client of a person who may only view triggers."""
    ben = User.objects.create_user("ben", is_staff=True)
    ben.user_permissions.set(Permission.objects.filter(codename="view_trigger"))
    client.force_login(ben)
    return client


def navigation(pages: Client) -> list[tuple[str, list[str]]]:
    groups: list[dict[str, Any]] = pages.get(reverse("admin:index")).context[
        "sidebar_navigation"
    ]
    return [
        (
            group.get("title", ""),
            [item["title"] for item in group["items"] if item["has_permission"]],
        )
        for group in groups
    ]


def search(pages: Client, term: str) -> list[tuple[str, str]]:
    """Return title and link of each page that Ctrl-K finds, other than lists."""
    response = pages.get(reverse("admin:search"), {"s": term, "extended": "1"})
    results = response.context["results"] if response.content else []
    return [
        (found.title, str(found.link))
        for found in results
        if str(found.link).endswith("/change/")
    ]


def test_the_navigation_has_six_items_and_two_closed_groups(pages: Client) -> None:
    assert navigation(pages) == [
        ("", ["Dashboard", "Triggers", "History", "Webhooks", "Events", "Agents"]),
        (
            "Advanced",
            [
                "Webhook types",
                "Event types",
                "Users",
                "Groups",
                "API keys",
                "API tokens",
                "Audit log",
            ],
        ),
        ("Internals", ["Tables and tools"]),
    ]
    assertNotContains(pages.get(reverse("admin:index")), "All applications")


def test_the_navigation_shows_only_what_a_person_may_view(viewer: Client) -> None:
    assert navigation(viewer) == [
        ("", ["Dashboard", "Triggers"]),
        ("Advanced", ["API keys"]),
        ("Internals", []),
    ]


@pytest.mark.parametrize(
    ("model", "titles"),
    [
        ("webhooks_webhookendpoint", ["Endpoints", "Deliveries"]),
        ("webhooks_delivery", ["Endpoints", "Deliveries"]),
        ("agents_agent", ["Agents", "Tasks"]),
        ("agents_agenttask", ["Agents", "Tasks"]),
    ],
)
def test_two_lists_of_one_item_are_tabs(
    pages: Client, model: str, titles: list[str]
) -> None:
    page = pages.get(reverse(f"admin:{model}_changelist"))

    tabs = page.content.decode().partition('id="tabs-items"')[2].partition("</nav>")[0]
    assert [tabs.find(title) > 0 for title in titles] == [True, True]


def test_the_dashboard_explains_missing_access(client: Client) -> None:
    client.force_login(User.objects.create_user("eve", is_staff=True))

    page = client.get(reverse("admin:index"))

    assertContains(page, "You can sign in, but you have no access to triggers yet.")


def test_the_internal_tables_are_for_superusers(pages: Client) -> None:
    page = pages.get(reverse("admin:internals"))

    assertContains(page, reverse("admin:events_inbox_changelist"))
    assertContains(page, reverse("docs"))
    assertContains(page, "Flower")


def test_a_person_without_all_rights_is_kept_from_internal_tables(
    viewer: Client,
) -> None:
    assert viewer.get(reverse("admin:internals")).status_code == 403


def test_the_page_of_an_app_redirects_to_the_dashboard(viewer: Client) -> None:
    response = viewer.get(reverse("admin:app_list", args=["triggers"]))

    assert (response.status_code, response["Location"]) == (302, reverse("admin:index"))


def test_superusers_may_open_the_page_of_an_app(pages: Client) -> None:
    response = pages.get(reverse("admin:app_list", args=["triggers"]))

    assert response.status_code == 200


def test_ctrl_k_finds_triggers_and_agents_by_name(pages: Client) -> None:
    trigger = make_trigger(name="Nightly report")
    agent = trigger.agent

    assert search(pages, "nightly") == [
        (
            "Nightly report",
            reverse("admin:triggers_trigger_change", args=[trigger.pk]),
        )
    ]
    page = reverse("admin:agents_agent_change", args=[agent.pk])
    assert (agent.name, page) in search(pages, agent.name)


def test_ctrl_k_finds_endpoints_and_deliveries(pages: Client) -> None:
    endpoint = make_endpoint(type_slug="generic")
    event = accept(endpoint, X_Delivery_Id="Delivery-1")

    [(_, webhook)] = search(pages, endpoint.webhook_id)
    [(_, delivery)] = search(pages, "Delivery-1")

    assert webhook == reverse(
        "admin:webhooks_webhookendpoint_change", args=[endpoint.pk]
    )
    assert delivery == reverse("admin:webhooks_delivery_change", args=[event.pk])


@pytest.mark.django_db(transaction=True)
def test_ctrl_k_finds_any_id(pages: Client) -> None:
    trigger = make_trigger(name="Nightly report")
    event_id = run_trigger(trigger_id=trigger.pk)
    drain()
    execution = TriggerExecution.objects.get()

    for model, pk, name in [
        ("triggers_trigger", trigger.pk, "Nightly report"),
        ("events_event", event_id, "trigger.run · "),
        ("executions_triggerexecution", execution.pk, "Nightly report · "),
        ("agents_agenttask", execution.task_id, "Nightly report"),
    ]:
        [(title, link)] = search(pages, str(pk))

        assert title.startswith(name)
        assert link == reverse(f"admin:{model}_change", args=[pk])


@pytest.mark.parametrize("term", ["\x00", "%_'\"(", " "])
def test_ctrl_k_answers_an_odd_term(pages: Client, term: str) -> None:
    make_trigger(name="Nightly report")

    assert search(pages, term) == []


def test_ctrl_k_shows_only_what_a_person_may_view(viewer: Client) -> None:
    trigger = make_trigger(name="nightly")

    assert [title for title, _ in search(viewer, "nightly")] == ["nightly"]
    assert search(viewer, str(trigger.agent_id)) == []


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_an_overridden_template_of_unfold_has_not_changed(name: str) -> None:
    """If it has: compare it with the copy in config/templates, then update the hash."""
    path = f"unfold/helpers/{name}.html"
    original = Path(unfold.__file__).parent / "templates" / path

    assert hashlib.sha256(original.read_bytes()).hexdigest() == OVERRIDDEN[name]
    assert "config/templates" in str(get_template(path).origin)  # type: ignore[attr-defined]  # of Django's engine


def test_the_path_of_a_page_starts_with_its_list(pages: Client) -> None:
    trigger = make_trigger(name="Nightly report")
    page = pages.get(reverse("admin:triggers_trigger_change", args=[trigger.pk]))

    path = page.content.decode().partition('id="header-inner"')[2][:4000]
    assert path.count("Triggers") == 1


def test_the_internals_name_celerys_table_of_results(pages: Client) -> None:
    response = pages.get(reverse("admin:internals"))

    assertContains(response, "Celery results")
    assert pages.get("/admin/django_celery_results/taskresult/").status_code == 200
    assert pages.get("/admin/django_celery_results/groupresult/").status_code == 404


def test_the_results_of_agents_are_a_read_only_list(admin: User) -> None:
    TaskResult.objects.create(task_id="a:1", task_name="shop.thank", result='{"a": 1}')
    page = TaskResultAdmin(TaskResult, admin_site)
    request = RequestFactory().get("/")
    request.user = admin

    [row] = page.get_changelist_instance(request).result_list

    assert row.task_name == "shop.thank"
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request, row)
    assert not page.has_delete_permission(request, row)
