"""Cron expressions over the API: presets, building and validation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from tests.triggers.test_schedules_presets import PRESETS

pytestmark = pytest.mark.django_db

VALID = "Valid cron expression"
NO_DATE = "no calendar has such a date; 'L' is the last day of a month"


def validate(api: APIClient, expression: Any, **fields: Any) -> dict[str, Any]:
    body = {"cron_expression": expression, **fields}
    response = api.post("/api/v1/triggers/validate-cron", body)

    assert response.status_code == 200, response.json()
    result: dict[str, Any] = response.json()
    return result


def build(api: APIClient, **parts: Any) -> dict[str, Any]:
    response = api.post("/api/v1/schedules/build", parts)

    assert response.status_code == 200, response.json()
    built: dict[str, Any] = response.json()
    return built


def test_the_presets_are_listed(api: APIClient) -> None:  # R402, R403
    listed = api.get("/api/v1/schedules/presets").json()["results"]

    assert listed == [
        {"name": name, "cron": cron, "description": description}
        for name, cron, description in PRESETS
    ]


def test_a_preset_has_a_url(api: APIClient) -> None:  # R403
    preset = api.get("/api/v1/schedules/presets/monthly_last").json()

    assert preset == {
        "name": "monthly_last",
        "cron": "0 9 L * *",
        "description": "Monthly on the last day at 9:00 AM",
    }


@pytest.mark.parametrize("name", ["every_blue_moon", "QUARTERLY", "%00", "%ED%A0%80"])
def test_an_unknown_preset_is_not_found(api: APIClient, name: str) -> None:
    response = api.get(f"/api/v1/schedules/presets/{name}")

    assert response.status_code == 404
    assert response.json()["detail"] == "There is no preset of this name."


def test_a_preset_describes_its_expression(api: APIClient) -> None:  # R404
    texts = [
        api.post("/api/v1/schedules/describe", {"cron_expression": cron}).json()
        for _, cron, _ in PRESETS
    ]

    assert texts == [{"description": description} for _, _, description in PRESETS]


def test_an_expression_is_built_from_its_parts(api: APIClient) -> None:  # R405
    assert build(api, minute=0, hour="9", weekday="5") == {
        "cron_expression": "0 9 * * 5",
        "description": "0 9 * * 5",
        "valid": True,
        "message": VALID,
    }
    assert build(api, minute="0", hour="*/2")["description"] == "Every 2 hours"
    assert build(api)["cron_expression"] == "* * * * *"
    assert build(api, day="1", month="JAN")["cron_expression"] == "* * 1 JAN *"


def test_a_built_expression_is_validated(api: APIClient) -> None:
    assert build(api, minute=61) == {
        "cron_expression": "61 * * * *",
        "description": "61 * * * *",
        "valid": False,
        "message": "Invalid cron expression '61 * * * *': "
        "minute 61 is out of range (0 to 59)",
    }


@pytest.mark.parametrize(
    ("parts", "faults"),
    [
        (
            {"minute": "0 9", "years": "2026"},
            {
                "/years": "Unknown field.",
                "/minute": "Must be one part of the expression, without spaces.",
            },
        ),
        ({"hour": ""}, {"/hour": "This field may not be blank."}),
        ({"day": None}, {"/day": "This field may not be null."}),
        ({"month": [1]}, {"/month": "Not a valid string."}),
        ({"weekday": "\x00"}, {"/weekday": "Null characters are not allowed."}),
    ],
)
def test_invalid_parts_are_rejected(
    api: APIClient, parts: dict[str, Any], faults: dict[str, str]
) -> None:
    response = api.post("/api/v1/schedules/build", parts)

    assert response.status_code == 400
    found = {each["pointer"]: each["detail"] for each in response.json()["errors"]}
    assert found == faults


@time_machine.travel(datetime(2026, 3, 28, 12, tzinfo=UTC), tick=False)
def test_a_valid_expression_is_returned_with_its_next_runs(api: APIClient) -> None:
    result = validate(api, "30 2 * * *", timezone="Europe/Berlin")  # R230, R406, R407

    assert result == {
        "valid": True,
        "message": VALID,
        "next_runs": [
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
            "2026-03-31T00:30:00Z",
            "2026-04-01T00:30:00Z",
            "2026-04-02T00:30:00Z",
        ],
        "cron_expression": "30 2 * * *",
        "read_as": None,
    }


@time_machine.travel(datetime(2026, 5, 1, 9, tzinfo=UTC), tick=False)
def test_runs_are_in_utc_unless_a_time_zone_is_given(api: APIClient) -> None:
    assert validate(api, " 0 9 * * * ")["next_runs"][0] == "2026-05-02T09:00:00Z"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("61 * * * *", "minute 61 is out of range (0 to 59)"),
        ("0 0 30 2 *", NO_DATE),
        ("0 9 * ? *", "'?' is for the two day fields only; write '0 9 * * *'"),
        ("x" * 256, "it is longer than 255 characters"),
    ],
)
def test_an_invalid_expression_is_explained(
    api: APIClient, expression: str, reason: str
) -> None:  # R406, R407
    assert validate(api, expression) == {
        "valid": False,
        "message": f"Invalid cron expression '{expression[:255]}': {reason}",
        "next_runs": [],
        "cron_expression": None,
        "read_as": None,
    }


def test_an_empty_expression_is_explained(api: APIClient) -> None:
    assert validate(api, "")["message"].startswith(
        "Invalid cron expression '': it is empty; expected 5 fields"
    )


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, {"/cron_expression": "This field is required."}),
        (
            {"cron_expression": None},
            {"/cron_expression": "This field may not be null."},
        ),
        ({"cron_expression": []}, {"/cron_expression": "Not a valid string."}),
        (
            {"cron_expression": "\ud800"},
            {"/cron_expression": "Surrogate characters are not allowed: U+D800."},
        ),
        (
            {"cron_expression": "@daily", "timezone": "Europe/Berln", "count": 3},
            {
                "/count": "Unknown field.",
                "/timezone": "Unknown time zone 'Europe/Berln'; "
                "did you mean 'Europe/Berlin'?",
            },
        ),
    ],
)
def test_an_invalid_request_is_rejected(
    api: APIClient, fields: dict[str, Any], faults: dict[str, str]
) -> None:
    response = api.post("/api/v1/triggers/validate-cron", fields)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    found = {each["pointer"]: each["detail"] for each in response.json()["errors"]}
    assert found == faults
