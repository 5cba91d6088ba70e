"""Callers that are bound to a subject: nothing of another one reaches them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from access.roles import ADMIN, EDITOR, OPERATOR
from common.ids import uuid7
from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.access.people import client_of, key_client, make_user
from tests.access.subjects import Rows
from tests.access.subjects import acme as acme
from tests.access.subjects import everyone as everyone
from tests.access.subjects import other as other
from tests.factories import make_agent, make_created, record
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

API = "/api/v1"
LISTS = ("triggers", "executions", "events", "tasks", "deliveries")


@pytest.fixture(params=["user", "key", "key of a bound user"])
def bound(request: pytest.FixtureRequest) -> APIClient:
    """A caller with all rights that is bound to `acme`, in three ways."""
    scopes = [
        f"{resource}:{verb}"
        for resource in ("triggers", "events", "executions", "tasks", "endpoints")
        for verb in ("read", "payload", "write", "run")
    ]
    if request.param == "user":
        return client_of(make_user(ADMIN, subject="acme"))
    if request.param == "key":
        return key_client(make_user(ADMIN), *scopes, subject="acme")
    return key_client(make_user(ADMIN, subject="acme"), *scopes)


def rows_of(page: dict[str, Any]) -> list[dict[str, Any]]:
    return list(page["executions"] if "executions" in page else page["results"])


@pytest.mark.usefixtures("other", "everyone")
@pytest.mark.parametrize("name", LISTS)
def test_lists_and_counts_show_only_the_subject(
    bound: APIClient, acme: Rows, name: str
) -> None:
    page = bound.get(f"{API}/{name}").json()

    assert {row["id"] for row in rows_of(page)} <= acme.ids
    assert page["total_count"] == len(rows_of(page)) > 0


def filters(rows: Rows) -> list[str]:
    return [
        f"triggers?agent_id={rows.trigger.agent_id}",
        f"triggers?endpoint_id={rows.endpoint.pk}",
        f"triggers?name={rows.trigger.name}",
        f"triggers?subject={rows.trigger.subject}",
        f"executions?trigger_id={rows.trigger.pk}",
        f"executions?event_id={rows.event.pk}",
        f"executions?agent_id={rows.trigger.agent_id}",
        f"events?endpoint_id={rows.endpoint.pk}",
        f"events?subject={rows.trigger.subject}",
        f"tasks?execution_id={rows.execution.pk}",
        f"tasks?agent_id={rows.trigger.agent_id}",
        f"deliveries?endpoint_id={rows.endpoint.pk}",
        f"deliveries?trigger_id={rows.trigger.pk}",
    ]


@pytest.mark.parametrize("number", range(13))
def test_no_filter_reaches_another_subject(
    bound: APIClient, acme: Rows, other: Rows, number: int
) -> None:
    own = bound.get(f"{API}/{filters(acme)[number]}").json()
    foreign = bound.get(f"{API}/{filters(other)[number]}").json()

    assert own["total_count"] > 0
    assert foreign["total_count"] == 0


def paths(rows: Rows) -> list[str]:
    return [
        f"triggers/{rows.trigger.pk}",
        f"triggers/{rows.trigger.pk}/status",
        f"triggers/{rows.trigger.pk}/webhook-url",
        f"triggers/{rows.trigger.pk}/executions",
        f"executions/{rows.execution.pk}",
        f"events/{rows.event.pk}",
        f"events/{rows.event.pk}/body",
        f"tasks/{rows.task.pk}",
        f"deliveries/{rows.event.pk}",
        f"deliveries/{rows.event.pk}/body",
        f"deliveries/{rows.rejection.pk}",
    ]


@pytest.mark.parametrize("number", range(11))
def test_a_foreign_row_is_like_one_that_does_not_exist(
    acme: Rows, other: Rows, number: int
) -> None:
    client = client_of(make_user(ADMIN, subject="acme"))
    path = paths(other)[number]
    missing = path.replace(path.split("/")[1], str(uuid7()))
    own = client.get(f"{API}/{paths(acme)[number]}")

    with CaptureQueriesContext(
        connection,
    ) as foreign_queries:
        foreign = client.get(f"{API}/{path}")
    with CaptureQueriesContext(connection) as missing_queries:
        absent = client.get(f"{API}/{missing}")

    assert own.status_code == 200
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.json()["detail"] == absent.json()["detail"]
    assert len(foreign_queries) == len(missing_queries)


def test_the_executions_of_an_event_are_those_of_the_subject(acme: Rows) -> None:
    make_created(trigger_type="event", event_types=["invoice.*"])
    own = make_created(
        trigger_type="event", event_types=["invoice.*"], subject="acme"
    ).trigger
    event = record(subject="acme")
    drain()

    shown = client_of(make_user(ADMIN, subject="acme")).get(f"{API}/events/{event.pk}")

    assert TriggerExecution.objects.filter(event=event).count() == 2
    assert [e["trigger_id"] for e in shown.json()["executions"]] == [str(own.pk)]
    assert shown.json()["executions_count"] == 1


def test_a_new_row_gets_the_subject_of_its_caller(bound: APIClient) -> None:
    body = {
        "name": "mine",
        "agent_id": str(make_agent().pk),
        "trigger_type": "webhook",
    }

    filled = bound.post(f"{API}/triggers", body)
    refused = bound.post(f"{API}/triggers", {**body, "subject": "other"})
    emitted = bound.post(f"{API}/events", {"type": "invoice.paid"})
    foreign = bound.post(f"{API}/events", {"type": "invoice.paid", "subject": "other"})

    trigger = Trigger.objects.get()
    assert filled.status_code == 201
    assert trigger.endpoint is not None
    assert trigger.subject == trigger.endpoint.subject == "acme"
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/subject"
    assert Event.objects.get(pk=emitted.json()["event_id"]).subject == "acme"
    assert foreign.status_code == 400


def test_a_replaced_row_keeps_the_subject(acme: Rows) -> None:
    client = client_of(make_user(EDITOR, subject="acme"))
    url = f"{API}/triggers/{acme.trigger.pk}"
    body = {
        "name": "renamed",
        "agent_id": str(acme.trigger.agent_id),
        "trigger_type": "webhook",
    }

    answer = client.put(url, body)
    moved = client.patch(url, {"subject": ""})

    assert answer.json()["subject"] == "acme"
    assert moved.json()["subject"] == "acme"


def test_names_are_free_in_each_subject(other: Rows) -> None:
    client = client_of(make_user(EDITOR, subject="acme"))
    body = {
        "name": other.trigger.name,
        "agent_id": str(make_agent().pk),
        "trigger_type": "manual",
    }

    assert client.post(f"{API}/triggers", body).status_code == 201
    assert client.post(f"{API}/triggers", body).status_code == 409


def test_the_endpoint_of_another_subject_cannot_be_used(
    other: Rows,
) -> None:
    client = client_of(make_user(EDITOR, subject="acme"))
    body = {
        "name": "mine",
        "agent_id": str(make_agent().pk),
        "trigger_type": "webhook",
        "endpoint_id": str(other.endpoint.pk),
    }

    foreign = client.post(f"{API}/triggers", body)
    missing = client.post(f"{API}/triggers", {**body, "endpoint_id": str(uuid7())})

    texts = [answer.json()["errors"][0]["detail"] for answer in (foreign, missing)]
    assert foreign.status_code == missing.status_code == 400
    assert texts[0].split()[:-1] == texts[1].split()[:-1]


def test_a_foreign_event_cannot_be_named_as_the_cause(other: Rows) -> None:
    client = client_of(make_user(OPERATOR, subject="acme"))
    body = {"type": "invoice.paid", "cause_id": str(other.event.pk)}

    foreign = client.post(f"{API}/events", body)
    missing = client.post(f"{API}/events", {**body, "cause_id": str(uuid7())})

    assert foreign.status_code == 400
    assert foreign.json()["detail"] == missing.json()["detail"]


def test_an_idempotency_key_of_another_subject_is_free(other: Rows) -> None:
    body = {"type": "invoice.paid", "idempotency_key": "one"}
    first = client_of(make_user(OPERATOR, subject="other"))
    second = client_of(make_user(OPERATOR, subject="acme"))

    answers = [client.post(f"{API}/events", body) for client in (first, second)]

    assert [answer.json()["duplicate"] for answer in answers] == [False, False]


def test_bulk_redelivery_stays_within_the_subject(acme: Rows, other: Rows) -> None:
    client = client_of(make_user(OPERATOR, subject="acme"))

    answers = [
        client.post(
            f"{API}/deliveries/redeliver", {"endpoint_id": str(rows.endpoint.pk)}
        )
        for rows in (acme, other)
    ]

    assert [answer.json()["count"] for answer in answers] == [1, 0]
    assert not Event.objects.filter(replay_of=other.event.pk).exists()


def test_bulk_redelivery_leaves_out_agents_that_are_not_accessible(
    acme: Rows, other: Rows
) -> None:
    group_of = make_user().groups.create(name="insiders")
    other.trigger.agent.groups.add(group_of)
    client = client_of(make_user(OPERATOR))

    answer = client.post(
        f"{API}/deliveries/redeliver", {"event_type": "generic.received"}
    ).json()

    assert (answer["count"], answer["not_allowed"]) == (1, 1)
    assert answer["delivery_ids"] == [str(acme.event.pk)]


@pytest.mark.parametrize("path", ["deliveries/test", "deliveries/inspectors"])
def test_a_foreign_endpoint_is_unknown(other: Rows, path: str) -> None:
    client = client_of(make_user(OPERATOR, subject="acme"))

    foreign = client.post(f"{API}/{path}", {"endpoint_id": str(other.endpoint.pk)})
    missing = client.post(f"{API}/{path}", {"endpoint_id": str(uuid7())})

    assert foreign.status_code == missing.status_code == 400
    assert foreign.json()["detail"] == missing.json()["detail"]


def test_the_use_of_types_counts_the_endpoints_of_the_subject(
    acme: Rows, other: Rows
) -> None:
    client = client_of(make_user(EDITOR, subject="acme"))

    types = client.get(f"{API}/webhook-types?page_size=500").json()["results"]

    [generic] = [one for one in types if one["slug"] == "generic"]
    assert generic["in_use"] == 1


def test_a_trigger_cannot_have_the_endpoint_of_another_subject(
    api: APIClient, acme: Rows
) -> None:
    body = {
        "name": "second",
        "agent_id": str(make_agent().pk),
        "trigger_type": "webhook",
        "endpoint_id": str(acme.endpoint.pk),
    }

    refused = api.post(f"{API}/triggers", {**body, "subject": "other"})
    same = api.post(f"{API}/triggers", {**body, "subject": "acme"})
    moved = api.patch(f"{API}/triggers/{same.json()['id']}", {"subject": "other"})

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/endpoint_id"
    assert same.status_code == 201
    assert moved.json()["errors"][0]["pointer"] == "/subject"


def test_triggers_of_all_subjects_on_an_endpoint_are_not_named(
    api: APIClient, acme: Rows
) -> None:
    hidden = make_created(
        name="of all", trigger_type="webhook", endpoint=acme.endpoint
    ).trigger
    client = client_of(make_user(ADMIN, subject="acme"))
    url = f"{API}/triggers/{acme.trigger.pk}"

    shown = [client.get(url), client.get(f"{url}/webhook-url")]

    assert [answer.json()["shared_with"] for answer in shown] == [[], []]
    assert api.get(url).json()["shared_with"] == [str(hidden.pk)]


def test_refusals_are_logged_with_ids_only(
    acme: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    viewer = make_user("Viewer")
    url = f"{API}/triggers/{acme.trigger.pk}"

    client_of(viewer).patch(url, {"description": "a secret"})

    assert f"Refused: user {viewer.pk}, key None, PATCH trigger-detail" in caplog.text
    assert f"row {acme.trigger.pk}" in caplog.text
    assert "a secret" not in caplog.text
    assert viewer.username not in caplog.text


def test_readings_of_payloads_are_logged(
    acme: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    reader = make_user(ADMIN)

    client_of(reader).get(f"{API}/events/{acme.event.pk}/body")
    client_of(make_user("Viewer")).get(f"{API}/tasks/{acme.task.pk}")
    client_of(make_user("Viewer")).get(f"{API}/tasks")
    client_of(reader).get(f"{API}/tasks")

    lines = [r.getMessage() for r in caplog.records if "Payload read" in r.getMessage()]
    start, task = f"Payload read: user {reader.pk}, key None", acme.task.pk
    assert lines == [
        f"{start}, event {acme.event.pk}",
        f"{start}, agenttask 1 rows from {task} to {task}",
    ]


def test_payloads_are_null_without_the_right_to_them(acme: Rows) -> None:
    client = client_of(make_user("Editor"))

    task = client.get(f"{API}/tasks/{acme.task.pk}").json()
    execution = client.get(f"{API}/executions/{acme.execution.pk}").json()
    event = client.get(f"{API}/events/{acme.event.pk}").json()
    delivery = client.get(f"{API}/deliveries/{acme.event.pk}").json()

    assert (task["parameters"], task["result"]) == (None, None)
    assert execution["parameters"] is None
    assert event["request"] is None
    assert delivery["request"] is None
    assert execution["status"] == "success"
