from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from rest_framework.test import APIClient

from agents.models import Agent
from events.models import Event
from tests.factories import AgentFactory, make_trigger
from triggers.models import Trigger
from webhooks.access import FOREIGN_ENDPOINT

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"


def client_of(*permissions: str, group: Group | None = None) -> APIClient:
    """Return a client of a user with these permissions, such as `add_trigger`."""
    user = User.objects.create_user("ben")
    for codename in permissions:
        user.user_permissions.add(Permission.objects.get(codename=codename))
    if group:
        user.groups.add(group)
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="ops")


@pytest.fixture
def restricted(group: Group) -> Agent:
    agent = AgentFactory.create()
    agent.groups.add(group)
    return agent


def body(agent: Agent) -> dict[str, Any]:
    return {"name": "orders", "agent_id": str(agent.pk), "trigger_type": "manual"}


@pytest.mark.parametrize(
    "path",
    ["triggers", "agents", "tasks", "executions", "events", "event-types"],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_requests_without_credentials_are_rejected(path: str, method: str) -> None:
    response = getattr(APIClient(), method)(f"/api/v1/{path}", {})

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["error_code"] == "not_authenticated"


@pytest.mark.parametrize(
    ("permission", "method", "path", "allowed"),
    [
        ("view_trigger", "get", "", 200),
        ("change_trigger", "patch", "", 200),
        ("delete_trigger", "delete", "", 204),
        ("change_trigger", "post", "/enable", 200),
        ("change_trigger", "post", "/disable", 200),
        ("change_triggerexecution", "post", "/run", 202),
        ("view_triggerexecution", "get", "/executions", 200),
    ],
)  # R305, R307
def test_each_action_requires_its_permission(
    permission: str, method: str, path: str, allowed: int
) -> None:
    trigger = make_trigger()
    every = {"view_trigger", "add_trigger", "change_trigger", "delete_trigger"}
    every |= {"view_triggerexecution", "change_triggerexecution"}

    client = client_of(*(every - {permission}))
    refused = getattr(client, method)(f"{URL}/{trigger.pk}{path}", {})
    User.objects.all().delete()
    client = client_of(permission)
    answer = getattr(client, method)(f"{URL}/{trigger.pk}{path}", {})

    assert refused.status_code == 403
    assert refused.json()["error_code"] == "permission_denied"
    assert answer.status_code == allowed


def test_creating_requires_the_add_permission() -> None:
    response = client_of("view_trigger", "change_trigger").post(
        URL, body(AgentFactory.create())
    )

    assert response.status_code == 403
    assert not Trigger.objects.exists()


def test_an_agent_of_a_group_is_hidden_from_others(restricted: Agent) -> None:  # R306
    response = client_of("add_trigger").post(URL, body(restricted))

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "pointer": "/agent_id",
            "detail": f"Agent with ID {restricted.pk} not found or not accessible",
        }
    ]
    assert not Trigger.objects.exists()


def test_members_may_use_an_agent_of_their_group(
    restricted: Agent, group: Group
) -> None:  # R306
    client = client_of("add_trigger", group=group)

    assert client.post(URL, body(restricted)).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"), [("patch", ""), ("post", "/enable"), ("post", "/run")]
)
def test_others_cannot_use_an_agent_through_its_triggers(
    restricted: Agent, method: str, path: str
) -> None:  # R306
    trigger = make_trigger(agent=restricted)

    client = client_of("change_trigger", "change_triggerexecution")
    response = getattr(client, method)(f"{URL}/{trigger.pk}{path}", {})

    assert response.status_code == 403
    assert response.json()["detail"] == (
        "The agent of this trigger is not accessible to you"
    )
    assert not Event.objects.exists()


def test_a_user_who_may_change_triggers_may_disable_any(restricted: Agent) -> None:
    trigger = make_trigger(agent=restricted)

    response = client_of("change_trigger").post(f"{URL}/{trigger.pk}/disable")

    assert response.status_code == 200


def test_a_user_who_may_delete_triggers_may_delete_any(restricted: Agent) -> None:
    trigger = make_trigger(agent=restricted)

    response = client_of("delete_trigger").delete(f"{URL}/{trigger.pk}")

    assert response.status_code == 204


def test_an_endpoint_of_agents_of_others_cannot_be_used(restricted: Agent) -> None:
    theirs = make_trigger(agent=restricted, trigger_type="webhook")
    wanted = {
        **body(AgentFactory.create()),
        "trigger_type": "webhook",
        "endpoint_id": str(theirs.endpoint_id),
    }

    response = client_of("add_trigger").post(URL, wanted)

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"pointer": "/endpoint_id", "detail": FOREIGN_ENDPOINT}
    ]
    assert Trigger.objects.count() == 1


def test_an_endpoint_shared_with_agents_of_others_cannot_be_changed(
    restricted: Agent,
) -> None:
    theirs = make_trigger(agent=restricted, trigger_type="webhook")
    own = make_trigger(trigger_type="webhook", endpoint=theirs.endpoint)
    client = client_of("change_trigger")

    refused = client.patch(f"{URL}/{own.pk}", {"webhook_config": {"secret": True}})
    renamed = client.patch(f"{URL}/{own.pk}", {"name": "renamed"})

    assert refused.status_code == 400
    assert refused.json()["errors"] == [
        {"pointer": "/endpoint_id", "detail": FOREIGN_ENDPOINT}
    ]
    assert renamed.status_code == 200


def test_members_may_change_what_they_share(restricted: Agent, group: Group) -> None:
    theirs = make_trigger(agent=restricted, trigger_type="webhook")
    own = make_trigger(trigger_type="webhook", endpoint=theirs.endpoint)

    response = client_of("change_trigger", group=group).patch(
        f"{URL}/{own.pk}", {"allowed_methods": ["PUT"]}
    )

    assert response.status_code == 200
