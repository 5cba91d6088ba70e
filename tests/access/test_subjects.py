"""Callers that are bound to a subject: nothing of another one reaches them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from access.roles import ADMIN, EDITOR, OPERATOR
from agents.models import AgentTask
from common.ids import uuid7
from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.access.people import client_of, key_client, make_user
from tests.factories import make_agent, make_created, record
from tests.webhooks.received import accept, reject
from triggers.models import Trigger
from webhooks.models import Rejection, WebhookEndpoint

pytestmark = pytest.mark.django_db

API = "/api/v1"
LISTS = ("triggers", "executions", "events", "tasks", "deliveries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What one subject has: a webhook trigger, and what a delivery to it became."""

    trigger: Trigger
    endpoint: WebhookEndpoint
    event: Event
    execution: TriggerExecution
    task: AgentTask
    rejection: Rejection

    @property
    def ids(self) -> set[str]:
        rows = (
            *(self.trigger, self.event, self.execution, self.task, self.endpoint),
            self.rejection,
        )
        return {str(row.pk) for row in rows}


def make_rows(subject: str) -> Rows:
    trigger = make_created(
        name=f"name of {subject}",
        trigger_type="webhook",
        subject=subject,
        webhook={},
    ).trigger
    assert trigger.endpoint is not None
    event = accept(trigger.endpoint, b'{"secret":"' + subject.encode() + b'-body"}')
    drain()
    execution = TriggerExecution.objects.get(trigger=trigger)
    assert execution.task is not None
    return Rows(
        trigger=trigger,
        endpoint=trigger.endpoint,
        event=event,
        execution=execution,
        task=execution.task,
        rejection=reject(trigger.endpoint),
    )


@pytest.fixture
def acme() -> Rows:
    return make_rows("acme")


@pytest.fixture
def other() -> Rows:
    return make_rows("other")


@pytest.fixture
def everyone() -> Rows:
    return make_rows("")


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

    lines = [r.getMessage() for r in caplog.records if "Payload read" in r.getMessage()]
    assert lines == [f"Payload read: user {reader.pk}, key None, event {acme.event.pk}"]


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
