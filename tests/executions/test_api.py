from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from agents.models import AgentTask
from executions.models import ExecutionStatus, ExecutionTrace, TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_listener, make_trigger, record
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/executions"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_execution(trigger: Trigger | None = None, **fields: Any) -> TriggerExecution:
    return TriggerExecution.objects.create(
        trigger=trigger or make_trigger(),
        event=fields.pop("event", None) or record(),
        **{
            "status": ExecutionStatus.SUCCESS,
            "executed_at": NOON,
            "trigger_version": 1,
            **fields,
        },
    )


def make_task(execution: TriggerExecution, **fields: Any) -> AgentTask:
    task = AgentTask.objects.create(
        agent=execution.trigger.agent,
        idempotency_key=execution.pk,
        created_at=NOON,
        **{"parameters": {"title": "Report"}, **fields},
    )
    TriggerExecution.objects.filter(pk=execution.pk).update(task=task)
    return task


def ids(page: dict[str, Any]) -> list[str]:
    return [shown["id"] for shown in page["executions"]]


def test_the_list_is_a_page_of_executions(api: APIClient) -> None:  # R245
    execution = make_execution(execution_time_ms=12)

    page = api.get(URL).json()

    assert ids(page) == [str(execution.pk)]
    del page["executions"]
    assert page == {
        "total_count": 1,
        "total": 1,
        "page": 1,
        "page_size": 50,
        "has_next": False,
        "has_previous": False,
    }


def test_an_execution_shows_its_fields(api: APIClient) -> None:  # R234, R246
    event = record(subject="acme", delivery_id="d-1")
    execution = make_execution(event=event, execution_time_ms=12, worker="w1")
    task = make_task(execution, status="running")
    ExecutionTrace.objects.create(execution=execution, trace={"outcome": "met"})

    shown = api.get(f"{URL}/{execution.pk}").json()

    assert shown == {
        "id": str(execution.pk),
        "trigger_id": str(execution.trigger_id),
        "trigger_name": execution.trigger.name,
        "trigger_type": "manual",
        "event_id": str(event.pk),
        "status": "success",
        "reason": "",
        "executed_at": "2026-03-01T12:00:00Z",
        "execution_time_ms": 12,
        "attempt": 1,
        "task_id": str(task.pk),
        "task_status": "running",
        "outcome": "running",
        "error_type": "",
        "error_message": "",
        "trigger_data": {
            "event_type": "invoice.paid",
            "source": "emit",
            "subject": "acme",
            "received_at": event.received_at.isoformat().replace("+00:00", "Z"),
            "scheduled_for": None,
            "delivery_id": "d-1",
        },
        "trigger_version": 1,
        "workflow_id": "",
        "run_id": "",
        "replay_of": None,
        "parameters": {"title": "Report"},
        "trace": {"outcome": "met"},
        "worker": "w1",
    }


def test_an_unknown_execution_is_404(api: APIClient) -> None:  # R254
    response = api.get(f"{URL}/{uuid4()}")

    assert response.status_code == 404
    assert response.json()["error_code"] == "not_found"


def test_any_valid_json_that_a_sender_sent_can_be_shown(api: APIClient) -> None:
    execution = make_execution(parameters={"body": "\x00\ud800", "n": 10**400})

    response = api.get(f"{URL}/{execution.pk}")

    assert response.status_code == 200
    assert response.json()["parameters"] == {"body": "\x00\ud800", "n": 10**400}


def test_a_trigger_lists_its_own_executions(api: APIClient) -> None:  # R232
    execution = make_execution()
    make_execution()

    page = api.get(f"/api/v1/triggers/{execution.trigger_id}/executions").json()

    assert ids(page) == [str(execution.pk)]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "FAILED"},
        {"status": "failed"},
        {"trigger_type": "Event"},
        {"error_type": "Poison"},
        {"reason": "poison"},
        {"start_date": "2026-03-02"},
        {"start_time": "2026-03-01T12:00:01Z", "end_time": "2026-03-02T12:00:00Z"},
        {"start_date": "2026-03-02", "end_date": "2026-03-02"},
    ],
)  # R320 to R324
def test_executions_are_filtered(api: APIClient, query: dict[str, str]) -> None:
    make_execution()
    failed = make_execution(
        make_trigger(trigger_type="event", event_types=["invoice.*"]),
        status="failed",
        error_type="Poison",
        reason="poison",
        executed_at=NOON + timedelta(days=1),
    )

    page = api.get(URL, query).json()

    assert ids(page) == [str(failed.pk)]


@pytest.mark.parametrize("outcome", ["failed", "FAILED"])
def test_executions_are_filtered_by_outcome(api: APIClient, outcome: str) -> None:
    make_task(make_execution(), status="succeeded")
    make_execution(status="skipped")
    failed = make_execution(status="failed")
    with_failed_task = make_execution(executed_at=NOON + timedelta(seconds=1))
    make_task(with_failed_task, status="failed")

    page = api.get(URL, {"outcome": outcome}).json()

    assert ids(page) == [str(with_failed_task.pk), str(failed.pk)]
    assert [shown["outcome"] for shown in page["executions"]] == ["failed"] * 2
    assert page["total_count"] == 2


def test_the_executions_of_a_trigger_are_filtered_by_outcome(api: APIClient) -> None:
    execution = make_execution()
    make_task(execution, status="timeout")
    make_task(make_execution(), status="timeout")
    url = f"/api/v1/triggers/{execution.trigger_id}/executions"

    found = api.get(url, {"outcome": "timeout"}).json()
    others = api.get(url, {"outcome": "succeeded"}).json()

    assert (ids(found), ids(others)) == ([str(execution.pk)], [])


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        (
            "outcome",
            "waiting, running, succeeded, failed, timeout, skipped, cancelled",
        ),
        (
            "status",
            "pending, running, success, failed, timeout, skipped, cancelled",
        ),
        ("trigger_type", "cron, webhook, event, manual"),
    ],
)
def test_an_unknown_choice_is_answered_with_the_choices(
    api: APIClient, name: str, choices: str
) -> None:
    response = api.get(URL, {name: "success!"})

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"pointer": f"/{name}", "detail": f"Must be one of: {choices}."}
    ]


@pytest.mark.parametrize("name", ["trigger_id", "event_id", "agent_id"])
def test_executions_are_filtered_by_trigger_event_and_agent(
    api: APIClient, name: str
) -> None:
    make_execution()
    execution = make_execution()
    wanted = {
        "trigger_id": execution.trigger_id,
        "event_id": execution.event_id,
        "agent_id": execution.trigger.agent_id,
    }

    page = api.get(URL, {name: str(wanted[name])}).json()

    assert ids(page) == [str(execution.pk)]


@pytest.mark.parametrize(
    "sort_by", ["executed_at", "execution_time_ms", "status", "trigger_name"]
)  # R326
def test_executions_are_sorted(api: APIClient, sort_by: str) -> None:
    first = make_execution(make_trigger(name="a"), status="failed", execution_time_ms=1)
    second = make_execution(
        make_trigger(name="b"),
        execution_time_ms=2,
        executed_at=NOON + timedelta(seconds=1),
    )

    rising = api.get(URL, {"sort_by": sort_by, "sort_order": "ASC"}).json()
    falling = api.get(URL, {"sort_by": sort_by}).json()

    assert ids(rising) == [str(first.pk), str(second.pk)]
    assert ids(falling) == [str(second.pk), str(first.pk)]


def test_executions_without_a_duration_come_last(api: APIClient) -> None:
    waiting = make_execution(status="pending")
    done = make_execution(execution_time_ms=5)

    page = api.get(URL, {"sort_by": "execution_time_ms"}).json()

    assert ids(page) == [str(done.pk), str(waiting.pk)]


@pytest.mark.parametrize("count", [1, 6])
def test_a_list_takes_the_same_queries_for_any_length(
    api: APIClient, django_assert_num_queries: Any, count: int
) -> None:
    for _ in range(count):
        make_task(make_execution())

    with django_assert_num_queries(2):
        page = api.get(URL).json()

    assert page["total_count"] == count


def test_an_event_shows_its_executions(api: APIClient) -> None:
    event = record()
    executions = [make_execution(event=event) for _ in range(2)]

    shown = api.get(f"/api/v1/events/{event.pk}").json()

    assert ids(shown) == [str(e.pk) for e in executions]


def test_executions_of_an_event_need_their_permission(db: None) -> None:  # R307
    user = User.objects.create_user("ben")
    user.user_permissions.add(Permission.objects.get(codename="view_event"))
    client = APIClient()
    client.force_authenticate(user)
    execution = make_execution()

    shown = client.get(f"/api/v1/events/{execution.event_id}").json()

    assert shown["executions"] is None


def test_an_emit_hides_the_number_of_tasks_from_who_may_not_see_executions(
    api: APIClient,
) -> None:
    make_listener()
    sent = {"type": "invoice.paid", "idempotency_key": "k"}
    api.post("/api/v1/events", sent)
    drain()
    user = User.objects.create_user("ben")
    user.user_permissions.add(Permission.objects.get(codename="add_event"))
    client = APIClient()
    client.force_authenticate(user)

    seen = api.post("/api/v1/events", sent).json()
    unseen = client.post("/api/v1/events", sent).json()

    assert (seen["triggered_workflows"], unseen["triggered_workflows"]) == (1, None)
