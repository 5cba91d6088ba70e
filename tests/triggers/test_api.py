from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from access.handover import OWNER_FIELDS
from tests.factories import AgentFactory, make_trigger
from triggers.api.serializers import TriggerSerializer
from triggers.models import Trigger
from triggers.services.lifecycle import delete_trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"

# The defaults of these depend on the trigger's type or endpoint.
DEPENDENT_DEFAULTS = {"max_executions_per_hour", "count_task_failures"}


def body(**fields: Any) -> dict[str, Any]:
    """Return the minimal body of a trigger, with these fields."""
    agent_id = fields.pop("agent_id", None) or str(AgentFactory.create().pk)
    return {
        "name": "orders",
        "agent_id": agent_id,
        "trigger_type": "manual",
        **fields,
    }


def test_creating_a_trigger_returns_its_location(api: APIClient) -> None:
    response = api.post(URL, body(description="Nightly"))

    assert response.status_code == 201
    trigger = Trigger.objects.get()
    assert response["Location"] == f"http://testserver{URL}/{trigger.id}"
    assert response.json()["id"] == str(trigger.id)
    assert response.json()["description"] == "Nightly"
    assert response.json()["created_by"] == "ana"
    assert api.get(response["Location"]).json() == response.json()


def test_a_trigger_shows_every_field_of_the_contract(api: APIClient) -> None:
    agent = AgentFactory.create()

    shown = api.post(URL, body(agent_id=str(agent.pk))).json()

    for varying in ("id", "created_at", "updated_at"):
        assert shown.pop(varying)
    assert shown == {
        "name": "orders",
        "description": "",
        "agent_id": str(agent.pk),
        "trigger_type": "manual",
        "is_active": True,
        "task_type": "",
        "task_parameters": {},
        "parameter_mapping": {},
        "conditions": {},
        "on_condition_error": "skip",
        "schedule_type": None,
        "schedule_config": {},
        "cron_expression": None,
        "timezone": "UTC",
        "start_at": None,
        "end_at": None,
        "max_runs": None,
        "jitter_seconds": 0,
        "dst_gap": "after",
        "dst_overlap": "first",
        "catchup": "latest",
        "catchup_window_seconds": 3600,
        "misfire_grace_seconds": 30,
        "overlap": "allow",
        "paused_until": None,
        "pause_note": "",
        "event_types": [],
        "subject": "",
        "endpoint_id": None,
        "webhook_path": None,
        "webhook_type": None,
        "allowed_methods": None,
        "validation_rules": None,
        "timeout_seconds": 300,
        "max_executions_per_hour": None,
        "failure_threshold": 5,
        "count_task_failures": True,
        "owner": "ana",
        "owner_groups": [],
        "owner_lost_at": None,
        "version": 1,
        "disabled_reason": "",
        "next_run_time": None,
        "webhook_url": None,
        "webhook_config": None,
        "webhook_secret": None,
        "read_as": None,
        "shared_with": [],
        "total_executions": 0,
        "successful_executions": 0,
        "failed_executions": 0,
        "skipped_executions": 0,
        "consecutive_failures": 0,
        "last_execution_at": None,
        "created_by": "ana",
        "warnings": [],
    }


def test_the_api_and_the_model_have_the_same_defaults() -> None:
    row = Trigger()

    defaults = {
        name: field.default() if callable(field.default) else field.default
        for name, field in TriggerSerializer().fields.items()
        if not field.required and not field.read_only and hasattr(row, name)
        if name not in {"event_types", "endpoint_id", *DEPENDENT_DEFAULTS}
        if name not in OWNER_FIELDS
    }

    assert len(defaults) > 20
    assert defaults == {name: getattr(row, name) for name in defaults}


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"trigger_type": "manual"}, None),
        ({"trigger_type": "event", "event_types": ["invoice.*"]}, 60),
        ({"trigger_type": "webhook"}, 60),
        ({"trigger_type": "webhook", "max_executions_per_hour": None}, None),
        ({"trigger_type": "webhook", "max_executions_per_hour": 7}, 7),
        ({"trigger_type": "cron", "cron_expression": "0 3 * * *"}, None),
    ],
)
def test_the_default_hourly_limit_depends_on_the_type(
    api: APIClient, fields: dict[str, Any], limit: int | None
) -> None:
    response = api.post(URL, body(**fields))

    assert response.json()["max_executions_per_hour"] == limit
    is_default = limit is not None and "max_executions_per_hour" not in fields
    assert [w["pointer"] for w in response.json()["warnings"]] == (
        ["/max_executions_per_hour"] if is_default else []
    )


def test_a_full_body_that_sets_the_default_limit_is_warned_of(api: APIClient) -> None:
    sent = body(trigger_type="webhook", max_executions_per_hour=5)
    created = api.post(URL, sent).json()
    url = f"{URL}/{created['id']}"
    del sent["max_executions_per_hour"]

    patched, replaced = api.patch(url, {"description": "x"}), api.put(url, sent)

    assert created["warnings"] == patched.json()["warnings"] == []
    assert replaced.json()["warnings"] == [
        {
            "pointer": "/max_executions_per_hour",
            "detail": "The default applies: at most 60 executions per hour. Further "
            "events are skipped (rate_limited). Set a number, or null for no limit",
        }
    ]
    assert api.get(url).json()["warnings"] == []


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"trigger_type": "manual"}, True),
        ({"trigger_type": "webhook"}, False),
        ({"trigger_type": "webhook", "webhook_config": {"secret": True}}, True),
        ({"trigger_type": "webhook", "webhook_type": "github"}, True),
        (
            {"trigger_type": "webhook", "webhook_type": "sns",
             "webhook_config": {"topic_arn": "arn:aws:sns:eu-west-1:1:a"}},
            True,
        ),
        (
            {"trigger_type": "webhook",
             "webhook_config": {"auth": {"type": "bearer", "value": "a-token"}}},
            True,
        ),
        ({"trigger_type": "webhook", "count_task_failures": True}, True),
        ({"trigger_type": "manual", "count_task_failures": False}, False),
    ],
)  # fmt: skip
def test_tasks_of_unsigned_requests_do_not_count_by_default(
    api: APIClient, fields: dict[str, Any], counts: bool
) -> None:
    response = api.post(URL, body(**fields))

    assert response.json()["count_task_failures"] is counts


def test_a_full_body_without_it_sets_the_default_of_the_endpoint(
    api: APIClient,
) -> None:
    sent = body(trigger_type="webhook", count_task_failures=True)
    created = api.post(URL, sent).json()
    url = f"{URL}/{created['id']}"

    kept = api.patch(url, {"description": "x"}).json()
    replaced = api.put(url, {**sent, "count_task_failures": True}).json()
    del sent["count_task_failures"]
    reset = api.put(url, sent).json()

    shown = [x["count_task_failures"] for x in (created, kept, replaced, reset)]
    assert shown == [True, True, True, False]


def test_choices_are_case_insensitive(api: APIClient) -> None:
    response = api.post(
        URL,
        body(
            trigger_type="SCHEDULE",
            schedule_type="Interval",
            schedule_config={"interval_seconds": 60},
            catchup="ALL",
        ),
    )

    assert response.status_code == 201, response.json()
    shown = response.json()
    assert shown["trigger_type"] == "cron"
    assert shown["schedule_type"] == "interval"
    assert shown["catchup"] == "all"
    assert shown["next_run_time"] is not None


def test_a_cron_expression_implies_a_cron_schedule(api: APIClient) -> None:  # R239
    response = api.post(URL, body(trigger_type="CRON", cron_expression="0 3 * * *"))

    assert response.status_code == 201
    assert response.json()["schedule_type"] == "cron"
    assert response.json()["timezone"] == "UTC"


def test_put_resets_missing_fields_to_their_defaults(api: APIClient) -> None:
    agent = AgentFactory.create()
    trigger = make_trigger(
        agent=agent, description="old", failure_threshold=9, is_active=False
    )

    response = api.put(f"{URL}/{trigger.id}", body(agent_id=str(agent.pk), name="new"))

    assert response.status_code == 200
    shown = response.json()
    assert (shown["name"], shown["description"]) == ("new", "")
    assert shown["failure_threshold"] == 5
    assert shown["is_active"] is True
    assert shown["version"] == 2


def test_patch_changes_only_the_given_fields(api: APIClient) -> None:
    trigger = make_trigger(
        trigger_type="event", event_types=["invoice.*"], failure_threshold=9
    )

    response = api.patch(f"{URL}/{trigger.id}", {"description": "new"})

    assert response.status_code == 200
    shown = response.json()
    assert shown["description"] == "new"
    assert shown["failure_threshold"] == 9
    assert shown["event_types"] == ["invoice.*"]
    assert shown["max_executions_per_hour"] == 60


@pytest.mark.parametrize(
    "fields",
    [
        {
            "trigger_type": "cron",
            "cron_expression": "0 3 * * *",
            "timezone": "Asia/Tokyo",
        },
        {"trigger_type": "webhook", "validation_rules": {"body_format": "json"}},
        {"trigger_type": "event", "event_types": ["invoice.paid", "quote.*"]},
    ],
)
def test_a_retrieved_trigger_can_be_put_unchanged(
    api: APIClient, fields: dict[str, Any]
) -> None:
    made = api.post(URL, body(**fields)).json()

    response = api.put(f"{URL}/{made['id']}", made)

    assert response.status_code == 200, response.json()
    changing = {
        "updated_at": None, "version": None, "next_run_time": None, "warnings": None,
    }  # fmt: skip
    assert {**response.json(), **changing} == {**made, **changing}


def test_disabling_by_patch_records_that_a_person_did_it(api: APIClient) -> None:
    trigger = make_trigger()

    shown = api.patch(f"{URL}/{trigger.id}", {"is_active": False}).json()

    assert (shown["is_active"], shown["disabled_reason"]) == (False, "by hand")
    trigger.refresh_from_db()
    assert trigger.active_since is None


def test_enable_and_disable_return_the_trigger(api: APIClient) -> None:
    trigger = make_trigger()

    disabled = api.post(f"{URL}/{trigger.id}/disable")
    enabled = api.post(f"{URL}/{trigger.id}/enable")

    assert disabled.status_code == enabled.status_code == 200
    assert disabled.json()["is_active"] is False
    assert enabled.json()["is_active"] is True
    assert enabled.json()["version"] == 3


def test_a_deleted_trigger_is_hidden_and_its_name_is_free(api: APIClient) -> None:
    trigger = make_trigger(name="orders")

    response = api.delete(f"{URL}/{trigger.id}")

    assert response.status_code == 204
    assert response.content == b""
    assert api.get(f"{URL}/{trigger.id}").status_code == 404
    assert api.post(URL, body(name="orders")).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""), ("put", ""), ("patch", ""), ("delete", ""),
        ("post", "/enable"), ("post", "/disable"), ("post", "/run"),
        ("get", "/executions"),
    ],
)  # fmt: skip
def test_an_unknown_trigger_returns_404(
    api: APIClient, method: str, path: str
) -> None:  # R253
    trigger = make_trigger()
    delete_trigger(trigger_id=trigger.id)

    response = getattr(api, method)(f"{URL}/{trigger.id}{path}")

    assert response.status_code == 404
    assert response.json()["error_code"] == "trigger_not_found"
