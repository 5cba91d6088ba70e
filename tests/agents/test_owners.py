"""The owners of agents in the API and in the admin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from agents.models import Agent
from tests.agents.test_admin import CONFIG, filled, page_of
from tests.factories import make_agent
from tests.owners import agent_of, make_group, make_user, permit

pytestmark = pytest.mark.django_db

URL = "/api/v1/agents"
BODY = {"name": "mia", "backend": "memory"}


@pytest.fixture
def ops() -> Group:
    return make_group("ops")


@pytest.fixture
def ben() -> User:
    return permit(
        make_user("ben", is_staff=True), "add_agent", "change_agent", "view_agent"
    )


@pytest.fixture
def client_of_ben(ben: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(ben)
    return client


@pytest.fixture
def pages(client: Client, ben: User) -> Client:
    client.force_login(ben)
    return client


def owners_of(agent: Agent) -> tuple[User | None, list[str]]:
    agent.refresh_from_db()
    return agent.owner, [group.name for group in agent.owner_groups.all()]


def test_the_creating_user_owns_a_new_agent(
    client_of_ben: APIClient, ben: User
) -> None:
    shown = client_of_ben.post(URL, BODY).json()

    assert (shown["owner"], shown["owner_groups"]) == ("ben", [])
    assert Agent.objects.get().owner == ben


def test_an_agent_is_handed_over_by_its_owner(
    client_of_ben: APIClient, ben: User, ops: Group
) -> None:
    agent = make_agent(owner=ben)
    cleo = make_user("cleo")
    given = {"owner": "cleo", "owner_groups": ["ops"]}

    shown = client_of_ben.patch(f"{URL}/{agent.pk}", given).json()
    kept = client_of_ben.put(f"{URL}/{agent.pk}", BODY).json()

    assert (shown["owner"], shown["owner_groups"]) == ("cleo", ["ops"])
    assert (kept["owner"], kept["owner_groups"]) == ("cleo", ["ops"])
    assert owners_of(agent) == (cleo, ["ops"])


def test_an_agent_is_not_handed_over_by_others(client_of_ben: APIClient) -> None:
    cleo = make_user("cleo")
    agent = make_agent(owner=cleo)

    refused = client_of_ben.patch(f"{URL}/{agent.pk}", {"owner": "ben"})
    renamed = client_of_ben.patch(f"{URL}/{agent.pk}", {"name": "renamed"})

    assert refused.status_code == 400
    assert [f["pointer"] for f in refused.json()["errors"]] == ["/owner"]
    assert renamed.status_code == 200
    assert owners_of(agent) == (cleo, [])


def test_an_owner_must_be_able_to_use_the_agent(
    client_of_ben: APIClient, ben: User, ops: Group
) -> None:
    agent = agent_of(ops)
    ben.groups.add(ops)
    Agent.objects.update(owner=ben)
    make_user("cleo")
    make_user("dan", ops)

    refused = client_of_ben.patch(f"{URL}/{agent.pk}", {"owner": "cleo"})
    done = client_of_ben.patch(f"{URL}/{agent.pk}", {"owner": "dan"})

    assert [f["pointer"] for f in refused.json()["errors"]] == ["/owner"]
    assert done.json()["owner"] == "dan"


def test_agents_are_filtered_by_owner(api: APIClient, ben: User) -> None:
    agent = make_agent(owner=ben)
    make_agent()

    found = api.get(URL, {"owner": "ben"}).json()["results"]

    assert [shown["id"] for shown in found] == [str(agent.pk)]


def test_the_page_offers_the_creating_user_as_owner(pages: Client, ben: User) -> None:
    add = reverse("admin:agents_agent_add")

    page = pages.get(add)
    pages.post(add, filled(new_config=json.dumps(CONFIG)))

    assert page.context["adminform"].form.initial["owner"] == ben.pk
    assert Agent.objects.get().owner == ben


@pytest.mark.parametrize("is_member", [True, False])
def test_the_groups_of_a_form_decide_who_may_own_the_agent(
    client: Client, admin: User, ops: Group, is_member: bool
) -> None:
    client.force_login(admin)
    cleo = make_user("cleo", *([ops] if is_member else []))
    sent = filled(
        new_config=json.dumps(CONFIG), groups=[ops.pk], owner=cleo.pk,
        owner_groups=[ops.pk],
    )  # fmt: skip

    response = client.post(reverse("admin:agents_agent_add"), sent)

    if is_member:
        assert owners_of(Agent.objects.get()) == (cleo, ["ops"])
    else:
        errors: Any = response.context["adminform"].form.errors
        assert list(errors) == ["owner"]
        assert not Agent.objects.exists()


def test_the_page_of_anothers_agent_shows_its_owner_but_does_not_change_it(
    pages: Client, ben: User
) -> None:
    cleo = make_user("cleo")
    agent = make_agent(owner=cleo, backend="celery", config=CONFIG)

    page = pages.get(page_of(agent)).content.decode()
    pages.post(page_of(agent), filled(name="renamed", owner=ben.pk))

    assert 'name="owner"' not in page
    assert "cleo" in page
    agent.refresh_from_db()
    assert (agent.name, agent.owner) == ("renamed", cleo)
