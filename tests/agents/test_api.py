from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from agents.models import Agent, AgentTask
from tests.factories import AgentFactory, make_trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/agents"
ECHO = {"task": "agents.tasks.echo", "queue": "agents"}
BODY = {"name": "mia", "backend": "celery", "config": ECHO}


def make_task(**fields: Any) -> AgentTask:
    return AgentTask.objects.create(
        **{
            "agent": AgentFactory.create(),
            "idempotency_key": uuid4(),
            "created_at": timezone.now(),
            **fields,
        }
    )


def test_the_response_for_a_created_agent_omits_its_config(api: APIClient) -> None:
    response = api.post(URL, BODY)

    agent = Agent.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"http://testserver{URL}/{agent.pk}"
    assert agent.config == ECHO
    shown = response.json()
    assert shown.pop("created_at")
    assert shown.pop("updated_at")
    assert shown == {
        "id": str(agent.pk),
        "name": "mia",
        "kind": "agent",
        "backend": "celery",
        "parameters_schema": {},
        "task_timeout_seconds": 3600,
        "is_active": True,
        "owner": "ana",
        "owner_groups": [],
        "owner_lost_at": None,
    }
    assert api.get(response["Location"]).json()["name"] == "mia"


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"name": ""}, ["/name"]),
        ({"kind": "robot"}, ["/kind"]),
        ({"backend": "smoke"}, ["/backend"]),
        (
            {"config": {"task": "os.system", "shell": 1}},
            ["/config/shell", "/config/task"],
        ),
        ({"parameters_schema": {"type": "banana"}}, ["/parameters_schema/type"]),
        ({"task_timeout_seconds": 0, "kind": 3}, ["/kind", "/task_timeout_seconds"]),
        ({"groups": [1]}, ["/groups"]),
    ],
)
def test_a_fault_names_its_field(
    api: APIClient, fields: dict[str, Any], pointers: list[str]
) -> None:
    response = api.post(URL, {**BODY, **fields})

    assert response.status_code == 400
    assert [f["pointer"] for f in response.json()["errors"]] == pointers
    assert not Agent.objects.exists()


def test_a_duplicate_name_is_a_conflict(api: APIClient) -> None:
    api.post(URL, BODY)

    response = api.post(URL, BODY)

    assert response.status_code == 409
    assert response.json()["error_code"] == "agent_name_taken"
    assert response.json()["errors"] == [
        {"pointer": "/name", "detail": "Another agent has this name"}
    ]
    assert Agent.objects.count() == 1


def test_put_resets_readable_fields_to_their_defaults(api: APIClient) -> None:
    made = api.post(URL, {**BODY, "kind": "WORKFLOW", "is_active": False}).json()

    response = api.put(f"{URL}/{made['id']}", {"name": "ben", "backend": "celery"})

    assert response.status_code == 200
    assert response.json()["name"] == "ben"
    assert response.json()["kind"] == "agent"
    assert response.json()["is_active"] is True
    assert Agent.objects.get().config == ECHO


def test_patch_changes_only_the_given_fields(api: APIClient) -> None:
    made = api.post(URL, {**BODY, "kind": "workflow"}).json()

    response = api.patch(f"{URL}/{made['id']}", {"is_active": False})

    assert response.status_code == 200
    assert response.json()["is_active"] is False
    assert response.json()["kind"] == "workflow"


def test_an_agent_that_is_not_in_use_is_deleted(api: APIClient) -> None:
    agent = AgentFactory.create()

    response = api.delete(f"{URL}/{agent.pk}")

    assert response.status_code == 204
    assert not Agent.objects.exists()


def test_an_agent_with_triggers_cannot_be_deleted(api: APIClient) -> None:
    trigger = make_trigger()

    response = api.delete(f"{URL}/{trigger.agent_id}")

    assert response.status_code == 409
    assert response.json()["error_code"] == "agent_in_use"
    assert Agent.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_an_unknown_agent_is_404(api: APIClient, method: str) -> None:
    body = None if method == "get" else BODY

    response = getattr(api, method)(f"{URL}/{uuid4()}", body)

    assert response.status_code == 404
    assert response.json()["error_code"] == "agent_not_found"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"kind": "WORKFLOW"}, 1),
        ({"is_active": "false"}, 0),
        ({"backend": "memory"}, 2),
        ({"name": "MI"}, 1),
    ],
)
def test_agents_are_filtered(api: APIClient, query: dict[str, str], count: int) -> None:
    AgentFactory.create(name="mia", kind="workflow")
    AgentFactory.create(name="ben")

    assert api.get(URL, query).json()["total_count"] == count


def test_an_invalid_filter_is_rejected(api: APIClient) -> None:
    response = api.get(URL, {"is_active": "perhaps"})

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"pointer": "/is_active", "detail": "Must be true or false."}
    ]


def test_a_task_shows_its_result(api: APIClient) -> None:
    task = make_task(
        status="succeeded",
        result=["\ud800"],
        parameters={"a": 1},
        metadata={"trigger_id": "t"},
        external_id="x-1",
    )

    shown = api.get(f"/api/v1/tasks/{task.pk}").json()

    assert shown["agent_id"] == str(task.agent_id)
    assert shown["execution_id"] == str(task.idempotency_key)
    assert shown["status"] == "succeeded"
    assert shown["result"] == ["\ud800"]
    assert shown["parameters"] == {"a": 1}
    assert shown["metadata"] == {"trigger_id": "t", "attempt": 1}
    assert (shown["error"], shown["external_id"]) == ("", "x-1")


@pytest.mark.parametrize("name", ["agent_id", "execution_id", "status", "task_type"])
def test_tasks_are_filtered(api: APIClient, name: str) -> None:
    make_task()
    task = make_task(status="failed", task_type="report")
    wanted = {
        "agent_id": str(task.agent_id),
        "execution_id": str(task.idempotency_key),
        "status": "Failed",
        "task_type": "report",
    }

    page = api.get("/api/v1/tasks", {name: wanted[name]}).json()

    assert [t["id"] for t in page["results"]] == [str(task.pk)]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_tasks_are_read_only(api: APIClient, method: str) -> None:
    response = getattr(api, method)(f"/api/v1/tasks/{make_task().pk}", {})

    assert response.status_code == 405


@pytest.mark.parametrize(("path", "queries"), [(URL, 3), ("/api/v1/tasks", 2)])
def test_a_list_costs_the_same_queries_for_any_length(
    api: APIClient, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    for _ in range(5):
        make_task()

    with django_assert_num_queries(queries):
        assert api.get(path).json()["total_count"] == 5
