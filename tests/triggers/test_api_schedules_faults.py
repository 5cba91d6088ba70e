"""Rejected requests of the schedule views: each fault names its field."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import AgentFactory
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/schedules"
TYPES = "Must be one of: cron, interval, daily, weekly, once."
HUGE = 10**400


def faults(api: APIClient, body: Any) -> dict[str, str]:
    """Post to all three views; return the faults by pointer, which must be the same."""
    verdict = api.post(f"{URL}/validate", body).json()
    assert verdict["valid"] is False
    for path in ("preview", "describe"):
        refused = api.post(f"{URL}/{path}", body)
        assert refused.status_code == 400
        assert refused["Content-Type"] == "application/problem+json"
        assert refused.json()["error_code"] == "invalid_schedule"
        assert refused.json()["detail"] == verdict["message"]
        assert refused.json()["errors"] == verdict["errors"]
    return {fault["pointer"]: fault["detail"] for fault in verdict["errors"]}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"schedule_type": None, "cron_expression": None}, "/schedule_type"),
        ({"schedule_type": "yearly"}, "/schedule_type"),
        ({"schedule_type": ["cron"]}, "/schedule_type"),
        ({"schedule_type": HUGE}, "/schedule_type"),
        ({"cron_expression": None, "schedule_type": "cron"}, "/cron_expression"),
        ({"cron_expression": "61 * * * *"}, "/cron_expression"),
        ({"cron_expression": "0 0 30 2 *"}, "/cron_expression"),
        ({"cron_expression": "\x00"}, "/cron_expression"),
        ({"cron_expression": "\ud800"}, "/cron_expression"),
        ({"cron_expression": "x" * 256}, "/cron_expression"),
        ({"cron_expression": {"minute": 0}}, "/cron_expression"),
        ({"schedule_config": {"cron": "@weekly"}}, "/schedule_config/cron"),
        ({"schedule_config": {"time": "09:00"}}, "/schedule_config/time"),
        ({"schedule_config": []}, "/schedule_config"),
        ({"schedule_config": {"cron": "\x00"}}, "/schedule_config"),
        ({"timezone": "Mars/Base"}, "/timezone"),
        ({"timezone": "\ud800"}, "/timezone"),
        ({"timezone": None}, "/timezone"),
        ({"start_at": "2026-05-01T00:00:00"}, "/start_at"),
        ({"start_at": HUGE}, "/start_at"),
        ({"end_at": "2026-05-01"}, "/end_at"),
        ({"after": "0001-01-01T00:00:00+14:00"}, "/after"),
        ({"after": "yesterday"}, "/after"),
        ({"max_runs": 0}, "/max_runs"),
        ({"max_runs": HUGE}, "/max_runs"),
        ({"dst_gap": "jump"}, "/dst_gap"),
        ({"dst_overlap": 2}, "/dst_overlap"),
        ({"count": 0}, "/count"),
        ({"count": 1001}, "/count"),
        ({"count": True}, "/count"),
        ({"jitter_seconds": 5}, "/jitter_seconds"),
    ],
)
def test_a_fault_names_its_field(
    api: APIClient, fields: dict[str, Any], pointer: str
) -> None:
    assert list(faults(api, {"cron_expression": "@daily", **fields})) == [pointer]


@pytest.mark.parametrize(
    ("kind", "config", "pointer"),
    [
        ("interval", {"interval_seconds": 0}, "/schedule_config/interval_seconds"),
        ("interval", {"interval_seconds": HUGE}, "/schedule_config/interval_seconds"),
        ("interval", {"interval_seconds": True}, "/schedule_config/interval_seconds"),
        ("daily", {"time": "9"}, "/schedule_config/time"),
        ("daily", {"a/b": 1}, "/schedule_config/a~1b"),
        ("weekly", {"day": 7}, "/schedule_config/day"),
        ("once", {}, "/schedule_config/at"),
        ("once", {"at": "soon"}, "/schedule_config/at"),
        ("once", {"at": 1_800_000_000}, "/schedule_config/at"),
    ],
)
def test_a_fault_of_the_config_names_its_key(
    api: APIClient, kind: str, config: dict[str, Any], pointer: str
) -> None:
    body = {"schedule_type": kind, "schedule_config": config}

    assert list(faults(api, body)) == [pointer]


def test_all_faults_are_returned_at_once(api: APIClient) -> None:
    found = faults(
        api,
        {
            "schedule_type": "yearly",
            "cron_expression": "0 0 30 2 *",
            "timezone": "Europe/Berln",
            "after": "2026-05-01T00:00:00",
            "cout": 3,
        },
    )

    assert found == {
        "/cout": "Unknown field. Did you mean 'count'?",
        "/schedule_type": TYPES,
        "/after": "Needs a UTC offset, as in '2026-03-28T00:00:00Z'.",
        "/timezone": "Unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        "/cron_expression": "Invalid cron expression '0 0 30 2 *': "
        "no calendar has such a date; 'L' is the last day of a month",
    }


def test_an_invalid_expression_does_not_hide_other_faults(api: APIClient) -> None:
    found = faults(api, {"cron_expression": "", "timezone": "Mars/Base"})

    assert set(found) == {"/cron_expression", "/timezone"}


def test_the_end_must_be_later_than_the_start(api: APIClient) -> None:
    instant = "2026-05-01T00:00:00Z"

    found = faults(
        api, {"schedule_type": "daily", "start_at": instant, "end_at": instant}
    )

    assert found == {"/end_at": "'end_at' must be later than 'start_at'."}


def test_a_body_that_is_not_an_object_is_rejected(api: APIClient) -> None:
    assert list(faults(api, ["@daily"])) == [""]


@pytest.mark.parametrize("path", ["preview", "describe", "validate", "build"])
def test_a_body_that_is_not_json_is_rejected(api: APIClient, path: str) -> None:
    response = api.post(f"{URL}/{path}", b"{", content_type="application/json")

    assert response.status_code == 400
    assert response.json()["error_code"] == "parse_error"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"schedule_type": "cron"},
        {"cron_expression": "61 * * * *", "timezone": "Mars/Base"},
        {"cron_expression": "@daily", "schedule_config": {"cron": "@weekly"}},
        {"schedule_type": "interval", "schedule_config": {"interval_seconds": 0}},
        {"schedule_type": "once", "timezone": 5, "dst_gap": "jump"},
        {"schedule_type": "daily", "max_runs": 0, "start_at": "soon"},
    ],
)
def test_a_trigger_is_rejected_for_the_same_faults(
    api: APIClient, fields: dict[str, Any]
) -> None:
    agent_id = str(AgentFactory.create().pk)
    trigger = {"name": "orders", "agent_id": agent_id, "trigger_type": "cron"}

    refused = api.post("/api/v1/triggers", {**trigger, **fields})

    assert refused.status_code == 400
    found = {each["pointer"]: each["detail"] for each in refused.json()["errors"]}
    assert found == faults(api, fields)
    assert not Trigger.objects.exists()
