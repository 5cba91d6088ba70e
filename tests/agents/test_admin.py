from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertNotContains

from agents.models import Agent
from tests.factories import AgentFactory, make_trigger

pytestmark = pytest.mark.django_db

CONFIG = {"task": "agents.tasks.echo", "queue": "private-queue"}


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def page_of(agent: Agent) -> str:
    return reverse("admin:agents_agent_change", args=[agent.pk])


def filled(**fields: Any) -> dict[str, Any]:
    return {
        "name": "writer",
        "kind": "agent",
        "is_active": "on",
        "backend": "celery",
        "task_timeout_seconds": 60,
        **fields,
    }


def test_an_agent_is_added_with_its_groups(pages: Client) -> None:
    group = Group.objects.create(name="shop")
    sent = filled(new_config=json.dumps(CONFIG), groups=[group.pk])

    response = pages.post(reverse("admin:agents_agent_add"), sent)

    agent = Agent.objects.get()
    assert response.status_code == 302
    assert agent.config == CONFIG
    assert list(agent.groups.all()) == [group]


def test_admin_messages_are_stored_on_the_server_not_in_a_cookie(
    pages: Client,
) -> None:
    sent = filled(new_config=json.dumps(CONFIG))

    response = pages.post(reverse("admin:agents_agent_add"), sent)

    assert "messages" not in response.cookies
    assert "_messages" in pages.session


def test_a_configuration_is_never_shown_and_an_empty_one_keeps_it(
    pages: Client,
) -> None:
    agent = AgentFactory.create(backend="celery", config=CONFIG)

    page = pages.get(page_of(agent))
    pages.post(page_of(agent), filled(name="renamed"))

    assertNotContains(page, "private-queue")
    agent.refresh_from_db()
    assert (agent.name, agent.config) == ("renamed", CONFIG)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"new_config": '{"task": "os.system"}'}, "new_config"),
        ({"new_config": json.dumps(CONFIG), "parameters_schema": '{"type": 1}'},
         "parameters_schema"),
        ({"new_config": json.dumps(CONFIG), "name": "taken"}, "name"),
        ({"new_config": "[]"}, "new_config"),
    ],
)  # fmt: skip
def test_a_fault_is_shown_at_its_field(
    pages: Client, fields: dict[str, str], name: str
) -> None:
    AgentFactory.create(name="taken")

    response = pages.post(reverse("admin:agents_agent_add"), filled(**fields))

    assert list(response.context["adminform"].form.errors) == [name]
    assert Agent.objects.count() == 1


def test_an_agent_in_use_is_not_deleted(pages: Client) -> None:
    agent = make_trigger().agent

    response = pages.post(
        reverse("admin:agents_agent_delete", args=[agent.pk]), {"post": "yes"}
    )

    assert response.status_code == 302
    assert Agent.objects.filter(pk=agent.pk).exists()


def test_an_agent_that_is_not_in_use_is_deleted(pages: Client) -> None:
    agent = AgentFactory.create()

    pages.post(reverse("admin:agents_agent_delete", args=[agent.pk]), {"post": "yes"})

    assert not Agent.objects.exists()
