"""The admin limits the use of agents to their groups."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import PeriodicTask
from pytest_django.asserts import assertContains, assertNotContains

from agents.models import Agent
from events.models import Event
from tests.factories import AgentFactory, make_trigger
from tests.triggers.test_admin import ADD, LIST, filled, messages_of, page_of
from triggers.models import Trigger
from webhooks.access import FOREIGN_ENDPOINT

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(client: Client) -> Client:
    """The pages for a user who has all permissions but is in no group."""
    ben = User.objects.create_user("ben", is_staff=True)
    ben.user_permissions.set(Permission.objects.exclude(codename="administer"))
    client.force_login(ben)
    return client


@pytest.fixture
def restricted() -> Agent:
    agent = AgentFactory.create()
    agent.groups.add(Group.objects.create(name="ops"))
    return agent


def test_an_agent_of_a_group_cannot_be_chosen_by_others(
    pages: Client, restricted: Agent
) -> None:
    response = pages.post(reverse(ADD), filled(agent=restricted.pk))

    assert list(response.context["adminform"].form.errors) == ["agent"]
    assert not Trigger.objects.exists()


def test_an_agent_of_no_group_can_be_chosen_by_all(pages: Client) -> None:
    pages.post(reverse(ADD), filled(agent=AgentFactory.create().pk))

    assert Trigger.objects.get().created_by == "ben"


def test_users_outside_the_group_can_read_but_not_change_a_trigger(
    pages: Client, restricted: Agent
) -> None:
    trigger = make_trigger(agent=restricted)

    page = pages.get(page_of(trigger))
    response = pages.post(page_of(trigger), filled(agent=restricted.pk))

    assertContains(page, trigger.name)
    assertNotContains(page, 'name="_save"')
    assert response.status_code == 403


@pytest.mark.parametrize("action", ["enable", "run_now"])
def test_users_outside_the_group_cannot_enable_or_run_a_trigger(
    pages: Client, restricted: Agent, action: str
) -> None:
    trigger = make_trigger(agent=restricted, is_active=False)
    sent = {"_selected_action": trigger.pk, "action": action}

    response = pages.post(reverse(LIST), sent)

    trigger.refresh_from_db()
    assert not trigger.is_active
    assert not Event.objects.exists()
    assert messages_of(response) == ["1 left out: you may not use their agents."]


def test_users_outside_the_group_may_disable_a_trigger(
    pages: Client, restricted: Agent
) -> None:
    trigger = make_trigger(agent=restricted)

    pages.post(reverse(LIST), {"_selected_action": trigger.pk, "action": "disable"})

    trigger.refresh_from_db()
    assert not trigger.is_active


def test_an_endpoint_of_agents_of_others_cannot_be_used_or_changed(
    pages: Client, restricted: Agent
) -> None:
    endpoint_id = make_trigger(agent=restricted, trigger_type="webhook").endpoint_id
    sent = filled(
        agent=AgentFactory.create().pk, trigger_type="webhook", endpoint=endpoint_id
    )
    page = reverse("admin:webhooks_webhookendpoint_change", args=[endpoint_id])

    joined = pages.post(reverse(ADD), sent)
    changed = pages.post(page, {"type": "github"})

    errors = joined.context["adminform"].form.errors
    assert errors == {"endpoint": [FOREIGN_ENDPOINT]}
    assert changed.status_code == 403


def test_tickhooks_own_periodic_tasks_are_read_only(pages: Client) -> None:
    own = PeriodicTask.objects.filter(name__startswith="tickhook-")
    urls = [
        reverse(f"admin:django_celery_beat_periodictask_{action}", args=[task.pk])
        for task in own
        for action in ("change", "delete")
    ]

    assert len(urls) == 8
    answers = [pages.post(url, {"name": "mine"}).status_code for url in urls]
    assert answers == [403] * 8
