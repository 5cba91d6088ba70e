"""Rejected requests: each fault names its field, and nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from agents.models import Agent
from common.redis import ask_redis
from events.models import Event
from tests.factories import AgentFactory, make_trigger
from triggers.models import Trigger
from webhooks.models import WebhookEndpoint
from webhooks.types import upload_type

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"


@pytest.fixture
def agent() -> Agent:
    return AgentFactory.create()


@pytest.fixture(autouse=True)
def _nothing_happened(db: None) -> Iterator[None]:
    yield
    assert not Event.objects.exists()
    assert not WebhookEndpoint.objects.exists()
    assert ask_redis(lambda redis: redis.dbsize(), otherwise=-1) == 0


def refused(api: APIClient, agent: Agent, **fields: Any) -> dict[str, str]:
    """Post a body that must be rejected with 400; return the faults by pointer."""
    body = {"name": "orders", "agent_id": str(agent.pk), **fields}

    response = api.post(URL, {"trigger_type": "manual", **body})

    assert response.status_code == 400, response.json()
    assert response.json()["error_code"] == "invalid_trigger"
    assert not Trigger.objects.exists()
    return {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}


def test_unknown_fields_are_rejected_by_name(api: APIClient, agent: Agent) -> None:
    faults = refused(api, agent, descripton="x", colour="red")

    assert faults == {
        "/descripton": "Unknown field. Did you mean 'description'?",
        "/colour": "Unknown field.",
    }


def test_missing_required_fields_are_named(api: APIClient) -> None:
    response = api.post(URL, {})

    pointers = [fault["pointer"] for fault in response.json()["errors"]]
    assert response.status_code == 400
    assert pointers == ["/name", "/agent_id", "/trigger_type"]


def test_a_missing_agent_is_named(api: APIClient, agent: Agent) -> None:  # R145, R251
    unknown = uuid4()

    faults = refused(api, agent, agent_id=str(unknown))

    assert faults == {
        "/agent_id": f"Agent with ID {unknown} not found or not accessible"
    }


def test_a_disabled_agent_is_rejected(api: APIClient) -> None:  # R147
    agent = AgentFactory.create(name="mia", is_active=False)

    faults = refused(api, agent)

    assert faults == {"/agent_id": "Agent 'mia' is disabled"}


def test_a_bad_cron_expression_is_explained(
    api: APIClient, agent: Agent
) -> None:  # R152, R249
    faults = refused(api, agent, trigger_type="cron", cron_expression="61 * * * *")

    assert list(faults) == ["/cron_expression"]
    assert faults["/cron_expression"].startswith(
        "Invalid cron expression '61 * * * *': "
    )


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"cron_expression": "0 0 30 2 *"}, "/cron_expression"),  # R154
        ({"cron_expression": "0 3 * * *", "timezone": "Mars/Base"}, "/timezone"),
        ({}, "/schedule_type"),
        ({"schedule_type": "cron"}, "/cron_expression"),
        (
            {"schedule_type": "interval", "schedule_config": {"interval_seconds": 0}},
            "/schedule_config/interval_seconds",
        ),
        (
            {"schedule_config": {"cron": "* * * *"}},
            "/cron_expression",
        ),
        (
            {"cron_expression": "* * * * *", "max_executions_per_hour": 5},
            "/max_executions_per_hour",
        ),
    ],
)
def test_schedule_faults_name_their_field(
    api: APIClient, agent: Agent, fields: dict[str, Any], pointer: str
) -> None:
    faults = refused(api, agent, trigger_type="cron", **fields)

    assert list(faults) == [pointer]


def test_condition_faults_have_a_pointer(api: APIClient, agent: Agent) -> None:  # R160
    rule = {"field": "body.amount", "operator": "greater", "value": 3}

    faults = refused(api, agent, conditions={"type": "rule", "rules": [rule]})

    assert list(faults) == ["/conditions/rules/0/operator"]


def test_task_parameters_must_match_the_schema_of_the_agent(
    api: APIClient,
) -> None:  # R150
    schema = {"properties": {"depth": {"type": "integer"}}, "required": ["repo"]}
    agent = AgentFactory.create(parameters_schema=schema)

    faults = refused(api, agent, task_parameters={"depth": "deep"})

    assert faults == {
        "/task_parameters": "'repo' is a required property",
        "/task_parameters/depth": "'deep' is not of type 'integer'",
    }


@pytest.mark.parametrize("reference", ["#", "https://elsewhere.example/schema.json"])
def test_an_unresolvable_schema_is_a_fault(api: APIClient, reference: str) -> None:
    agent = AgentFactory.create(name="mia", parameters_schema={"$ref": reference})

    faults = refused(api, agent)

    assert faults == {
        "/agent_id": "The parameters_schema of agent 'mia' is not usable as a JSON "
        "Schema. Correct the agent first"
    }


@pytest.mark.parametrize(
    ("pattern", "detail"),
    [
        (
            "invoice.payd",
            "Event type 'invoice.payd' is not supported; did you mean 'invoice.paid'?",
        ),
        (
            "invoices.*",
            "Event type 'invoices.*' is not supported; did you mean 'invoice.*'?",
        ),
        ("zzz", "Event type 'zzz' is not supported"),
        (
            "githb.push",
            "Event type 'githb.push' is not supported; did you mean 'github.push'?",
        ),
        (
            "hubspot.contact.creation",
            (
                "Event type 'hubspot.contact.creation' is not supported; "
                "did you mean 'hubspot-v3.contact.creation'?"
            ),
        ),
        ("github", "No event has only the type 'github'; did you mean 'github.*'?"),
    ],
)
def test_an_unknown_event_type_is_rejected(
    api: APIClient, agent: Agent, pattern: str, detail: str
) -> None:  # R149, R252
    patterns = ["invoice.paid", "github.push", "trigger.*", "*", pattern]

    faults = refused(api, agent, trigger_type="event", event_types=patterns)

    assert faults == {"/event_types/4": detail}


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("github.pull_request.opened", "; did you mean 'github.pull_request'?"),
        ("github.pull_request.*", "; did you mean 'github.pull_request'?"),
        ("github.psuh", "; did you mean 'github.push'?"),
        ("telegram.mesage", "; did you mean 'telegram.message'?"),
        (
            "pagerduty.incident.reopen",
            "; did you mean 'pagerduty.incident.reopened'?",
        ),
        ("generic.order", "."),
        ("sns.xyz", "."),
    ],
)
def test_an_event_type_that_the_sender_never_sends_is_refused(
    api: APIClient, agent: Agent, pattern: str, meant: str
) -> None:
    faults = refused(api, agent, trigger_type="event", event_types=[pattern])

    (detail,) = faults.values()
    assert f"sends no event '{pattern.partition('.')[2]}'{meant} '" in detail


@pytest.mark.parametrize(
    "pattern",
    [
        "github.*", "github.unknown", "pagerduty.incident.*", "stripe.any.thing",
        "bitbucket.repo:push", "telegram.poll", "generic.received", "shopify.a_b",
    ],
)  # fmt: skip
def test_an_event_type_that_a_sender_may_send_is_accepted(
    api: APIClient, agent: Agent, pattern: str
) -> None:
    body = {"name": "n", "agent_id": str(agent.pk), "trigger_type": "event"}

    assert api.post(URL, {**body, "event_types": [pattern]}).status_code == 201


def test_the_event_types_of_an_uploaded_type_are_not_checked(
    api: APIClient, agent: Agent
) -> None:
    document = {"slug": "github", "parser": "x", "json_schema": {}}
    upload_type(document={**document, "event_type": [{"body": "/kind"}]})
    body = {"name": "n", "agent_id": str(agent.pk), "trigger_type": "event"}

    assert api.post(URL, {**body, "event_types": ["github.psuh"]}).status_code == 201


@pytest.mark.parametrize(
    ("webhook_type", "name", "value"),
    [
        ("twilio", "reply", {"text": "hi"}),
        ("github", "reply", {}),
        ("twilio", "max_wait_seconds", 5),
        ("slack", "max_wait_seconds", 5),
    ],
)
def test_a_setting_without_effect_is_refused(
    api: APIClient, agent: Agent, webhook_type: str, name: str, value: object
) -> None:
    faults = refused(
        api,
        agent,
        trigger_type="webhook",
        webhook_type=webhook_type,
        webhook_config={name: value},
    )

    (pointer,) = faults
    assert pointer == f"/webhook_config/{name}"
    assert faults[pointer].endswith("; leave this out")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "two\nlines"}, "/name"),  # R148
        ({"name": "x" * 256}, "/name"),
        ({"name": "\x00"}, "/name"),
        ({"trigger_type": "banana"}, "/trigger_type"),
        ({"trigger_type": ["cron"]}, "/trigger_type"),
        ({"catchup": "sometimes"}, "/catchup"),
        ({"trigger_type": "event"}, "/event_types"),
        ({"event_types": ["a..b"]}, "/event_types/0"),
        ({"event_types": "invoice.paid"}, "/event_types"),
        ({"timeout_seconds": 0}, "/timeout_seconds"),
        ({"failure_threshold": 10**30}, "/failure_threshold"),
        ({"start_at": "yesterday"}, "/start_at"),
        ({"start_at": "0001-01-01T00:00:00+14:00"}, "/start_at"),
        ({"task_parameters": []}, "/task_parameters"),
        ({"task_parameters": {"a": "\x00"}}, "/task_parameters"),
        ({"task_parameters": {"a": ["\ud800"]}}, "/task_parameters"),
        ({"parameter_mapping": {"a": 1}}, "/parameter_mapping/a"),
        ({"endpoint_id": str(uuid4())}, "/endpoint_id"),
    ],
)
def test_a_fault_names_its_field(
    api: APIClient, agent: Agent, fields: dict[str, Any], pointer: str
) -> None:
    faults = refused(api, agent, **fields)

    assert list(faults) == [pointer]


def test_all_faults_are_returned_at_once(api: APIClient, agent: Agent) -> None:  # R151
    faults = refused(
        api,
        agent,
        agent_id=str(uuid4()),
        trigger_type="cron",
        cron_expression="61 * * * *",
        timezone="Mars/Base",
        failure_threshold="many",
        conditions={"type": "rule"},
        colour="red",
    )

    assert set(faults) == {
        "/agent_id",
        "/cron_expression",
        "/timezone",
        "/failure_threshold",
        "/conditions/rules",
        "/colour",
    }


def test_webhook_fields_are_rejected_for_other_triggers(
    api: APIClient, agent: Agent
) -> None:
    faults = refused(
        api, agent, webhook_type="github", webhook_config={}, allowed_methods=["POST"]
    )

    detail = "Only webhook triggers have this; trigger_type is 'manual'"
    assert faults == {
        "/webhook_type": detail,
        "/webhook_config": detail,
        "/allowed_methods": detail,
    }


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        (
            {"allowed_methods": ["POST", "TRACE"]},  # R155
            {"/allowed_methods/1": "Any sender can use: GET, POST, PUT, PATCH, DELETE"},
        ),
        (
            {"webhook_type": "github", "allowed_methods": ["put"]},
            {"/allowed_methods/0": "GitHub can use: POST"},
        ),
        (
            {"validation_rules": {"headers": [], "body_format": "yaml"}},  # R159
            {
                "/validation_rules/headers": "Unknown rule; known: "
                "required_headers, body_format, json_schema, allowed_addresses, "
                "rate_limit, cors",
                "/validation_rules/body_format": "Must be one of: "
                "json, form, multipart, xml, text",
            },
        ),
        (
            {"validation_rules": {"required_headers": ["X-Ok", "no name", 3]}},
            {
                f"/validation_rules/required_headers/{place}": "Must be a header "
                "name, such as 'X-Request-Id'"
                for place in (1, 2)
            },
        ),
        (
            {"webhook_config": {"secret": 3}},
            {"/webhook_config/secret": "Must be a string, or true to generate one"},
        ),
        (
            {"webhook_config": {"secret": "\ud800"}},
            {"/webhook_config": "Must not contain NUL characters or lone surrogates."},
        ),
        (
            {"webhook_type": "github", "webhook_config": {"secret": False}},
            {"/webhook_config/secret": "GitHub requires a secret"},
        ),
    ],
)
def test_webhook_fields_are_validated(
    api: APIClient, agent: Agent, fields: dict[str, Any], faults: dict[str, str]
) -> None:
    assert refused(api, agent, trigger_type="webhook", **fields) == faults


def test_faults_of_trigger_and_endpoint_are_returned_together(
    api: APIClient, agent: Agent
) -> None:
    faults = refused(
        api,
        agent,
        trigger_type="webhook",
        allowed_methods=["TRACE"],
        conditions={"type": "rule"},
    )

    assert set(faults) == {"/allowed_methods/0", "/conditions/rules"}


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_a_name_that_is_taken_is_a_conflict(
    api: APIClient, agent: Agent, method: str
) -> None:  # R255
    make_trigger(name="orders")
    other = make_trigger(name="other")
    path = URL if method == "post" else f"{URL}/{other.pk}"
    body = {"name": "orders", "agent_id": str(agent.pk), "trigger_type": "manual"}

    response = getattr(api, method)(path, body)

    assert response.status_code == 409
    assert response.json()["error_code"] == "trigger_name_taken"
    assert response.json()["errors"] == [
        {"pointer": "/name", "detail": "Another trigger already has this name"}
    ]
    assert set(Trigger.objects.values_list("name", flat=True)) == {"orders", "other"}


def test_a_rejected_change_changes_nothing(api: APIClient) -> None:
    trigger = make_trigger(description="old")

    response = api.patch(
        f"{URL}/{trigger.pk}", {"description": "new", "trigger_type": "cron"}
    )

    assert response.status_code == 400
    trigger.refresh_from_db()
    assert (trigger.description, trigger.version) == ("old", 1)
