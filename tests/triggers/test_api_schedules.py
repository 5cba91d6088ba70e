"""Previews, descriptions and validation of schedules over the API."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.triggers.test_api_permissions import client_of
from triggers.api.schedule_serializers import ScheduleSerializer
from triggers.api.serializers import TriggerSerializer

pytestmark = pytest.mark.django_db

URL = "/api/v1/schedules"
MOST_SECONDS = 5.0  # CPU time; the slowest takes one second
BERLIN = {"timezone": "Europe/Berlin", "after": "2026-01-01T00:00:00Z"}
DAILY = {"cron_expression": "@daily"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("post", "schedules/preview", DAILY),
    ("post", "schedules/describe", DAILY),
    ("post", "schedules/validate", DAILY),
    ("post", "schedules/build", {}),
    ("post", "triggers/validate-cron", DAILY),
    ("get", "schedules/presets", {}),
    ("get", "schedules/presets/quarterly", {}),
]
NIGHTLY = {
    "schedule_type": "cron",
    "cron_expression": "30 2 * * *",
    "timezone": "Europe/Berlin",
}


def preview(api: APIClient, **fields: Any) -> dict[str, Any]:
    response = api.post(f"{URL}/preview", fields)

    assert response.status_code == 200, response.json()
    answer: dict[str, Any] = response.json()
    return answer


def runs(api: APIClient, **fields: Any) -> list[str]:
    """Return the local times of a preview, each followed by its note if it has one."""
    return [
        " ".join(filter(None, (each["local"], each["note"])))
        for each in preview(api, **fields)["occurrences"]
    ]


def test_a_preview_shows_the_next_runs_across_a_gap(api: APIClient) -> None:  # R401
    answer = preview(api, **NIGHTLY, after="2026-03-28T00:00:00Z", count=5)

    expected = [
        ("2026-03-28T01:30:00Z", "2026-03-28T02:30:00+01:00", None),
        ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00", "dst_gap"),
        ("2026-03-30T00:30:00Z", "2026-03-30T02:30:00+02:00", None),
        ("2026-03-31T00:30:00Z", "2026-03-31T02:30:00+02:00", None),
        ("2026-04-01T00:30:00Z", "2026-04-01T02:30:00+02:00", None),
    ]
    assert answer == {
        "cron_expression": "30 2 * * *",
        "read_as": None,
        "description": "30 2 * * *",
        "occurrences": [
            {"utc": utc, "local": local, "note": note} for utc, local, note in expected
        ],
    }


@pytest.mark.parametrize(
    ("dst_overlap", "shown"),
    [
        ("first", ["2026-10-25T02:30:00+02:00 dst_overlap"]),
        ("second", ["2026-10-25T02:30:00+01:00 dst_overlap"]),
        (
            "Both",
            [
                "2026-10-25T02:30:00+02:00 dst_overlap",
                "2026-10-25T02:30:00+01:00 dst_overlap",
            ],
        ),
    ],
)
def test_a_repeated_local_time_is_noted(
    api: APIClient, dst_overlap: str, shown: list[str]
) -> None:
    asked = {"after": "2026-10-24T12:00:00Z", "count": len(shown) + 1}

    found = runs(api, **NIGHTLY, dst_overlap=dst_overlap, **asked)

    assert found == [*shown, "2026-10-26T02:30:00+01:00"]


def test_a_nonexistent_local_time_can_be_skipped(api: APIClient) -> None:
    found = runs(api, **NIGHTLY, dst_gap="SKIP", after="2026-03-28T12:00:00Z", count=1)

    assert found == ["2026-03-30T02:30:00+02:00"]


@pytest.mark.parametrize(
    ("fields", "description", "shown"),
    [
        (
            {"schedule_type": "Interval", "schedule_config": {"interval_seconds": 90}},
            "Every 90 seconds",
            ["2026-05-01T10:01:30+00:00", "2026-05-01T10:03:00+00:00"],
        ),
        (
            {"schedule_type": "daily", "schedule_config": {"time": "10:00"}},
            "Daily at 10:00",
            ["2026-05-02T10:00:00+00:00", "2026-05-03T10:00:00+00:00"],
        ),
        (
            {"schedule_type": "WEEKLY", "schedule_config": {"day": 4}},
            "Weekly on Friday at 09:00",
            ["2026-05-08T09:00:00+00:00", "2026-05-15T09:00:00+00:00"],
        ),
        (
            {
                "schedule_type": "once",
                "schedule_config": {"at": "2026-05-02T07:00"},
                "timezone": "Asia/Tokyo",
            },
            "Once at 2026-05-02 07:00:00",
            ["2026-05-02T07:00:00+09:00"],
        ),
        (
            {"schedule_config": {"cron": "0 9 L * *"}},
            "Monthly on the last day at 9:00 AM",
            ["2026-05-31T09:00:00+00:00", "2026-06-30T09:00:00+00:00"],
        ),
        (
            {"cron_expression": "@hourly"},
            "@hourly",
            ["2026-05-01T11:00:00+00:00", "2026-05-01T12:00:00+00:00"],
        ),
    ],
)
def test_every_schedule_type_is_previewed_and_described(
    api: APIClient, fields: dict[str, Any], description: str, shown: list[str]
) -> None:
    asked = {**fields, "after": "2026-05-01T10:00:00Z", "count": 2}

    assert runs(api, **asked) == shown
    assert api.post(f"{URL}/describe", asked).json() == {"description": description}


def test_an_interval_counts_from_its_start(api: APIClient) -> None:
    found = runs(
        api,
        schedule_type="interval",
        start_at="2026-05-01T00:00:20Z",
        after="2026-05-01T12:00:00Z",
        count=1,
    )

    assert found == ["2026-05-01T12:00:20+00:00"]


def test_start_and_end_bound_a_preview(api: APIClient) -> None:
    found = runs(
        api,
        schedule_type="daily",
        start_at="2026-05-02T09:00:00Z",
        end_at="2026-05-03T11:00:00+02:00",
        after="2026-01-01T00:00:00Z",
    )

    assert found == ["2026-05-02T09:00:00+00:00", "2026-05-03T09:00:00+00:00"]


@pytest.mark.parametrize(("max_runs", "shown"), [(2, 2), (9, 5), (None, 5)])
def test_max_runs_bounds_a_preview(
    api: APIClient, max_runs: int | None, shown: int
) -> None:
    assert len(runs(api, cron_expression="@daily", max_runs=max_runs)) == shown


@time_machine.travel(datetime(2026, 5, 1, 12, 0, 0, 700, tzinfo=UTC), tick=False)
def test_a_preview_starts_now(api: APIClient) -> None:
    assert runs(api, cron_expression="* * * * *", count=1) == [
        "2026-05-01T12:01:00+00:00"
    ]
    assert runs(api, schedule_type="interval", count=1, after=None) == [
        "2026-05-01T13:00:00+00:00"
    ]


def test_after_is_exclusive(api: APIClient) -> None:
    found = runs(api, schedule_type="daily", after="2026-05-01T09:00:00Z", count=1)

    assert found == ["2026-05-02T09:00:00+00:00"]


def test_a_past_schedule_has_no_runs_and_is_not_valid(api: APIClient) -> None:  # D26
    over = {"schedule_type": "once", "schedule_config": {"at": "2020-01-01T00:00Z"}}

    assert runs(api, **over) == []
    verdict = api.post(f"{URL}/validate", over).json()
    assert verdict["valid"] is False
    assert [fault["pointer"] for fault in verdict["errors"]] == ["/schedule_config/at"]


def test_a_valid_schedule_is_reported_as_valid(api: APIClient) -> None:
    answer = api.post(f"{URL}/validate", {**NIGHTLY, "max_runs": 3, "count": 2})

    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True,
        "message": "Valid schedule",
        "errors": [],
        "cron_expression": "30 2 * * *",
        "read_as": None,
    }


def test_the_fields_are_those_of_a_trigger() -> None:
    own = ScheduleSerializer().fields
    instants, of_preview = {"start_at", "end_at"}, {"after", "count"}
    of_trigger = TriggerSerializer().fields

    compared = set(own) - instants - of_preview

    assert len(compared) == 7
    assert {name: repr(own[name]) for name in compared} == {
        name: repr(of_trigger[name]) for name in compared
    }


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_users_who_may_view_triggers_may_preview(
    method: str, path: str, body: dict[str, Any]
) -> None:
    response = getattr(client_of("view_trigger"), method)(f"/api/v1/{path}", body)

    assert response.status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_other_users_may_not_preview(
    method: str, path: str, body: dict[str, Any]
) -> None:
    others = client_of("add_trigger", "change_trigger", "delete_trigger")

    anonymous = getattr(APIClient(), method)(f"/api/v1/{path}", body)
    refused = getattr(others, method)(f"/api/v1/{path}", body)

    assert anonymous.status_code == 401
    assert anonymous.json()["error_code"] == "not_authenticated"
    assert refused.status_code == 403
    assert refused.json()["error_code"] == "permission_denied"


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_a_preview_makes_no_query(
    api: APIClient,
    django_assert_num_queries: DjangoAssertNumQueries,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    with django_assert_num_queries(0):
        getattr(api, method)(f"/api/v1/{path}", body)


@pytest.mark.parametrize(
    ("method", "path"), [(m, path) for m, path, _ in REQUESTS if m == "post"]
)
def test_a_preview_accepts_only_post(api: APIClient, method: str, path: str) -> None:
    response = api.get(f"/api/v1/{path}")

    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"


def instants(api: APIClient, **fields: Any) -> list[datetime]:
    """Return the instants of a preview; assert that it is fast and they increase."""
    started = time.process_time()
    response = api.post(f"{URL}/preview", {"count": 1000, **fields})
    took = time.process_time() - started

    assert response.status_code == 200, response.json()
    assert took < MOST_SECONDS
    found = [datetime.fromisoformat(o["utc"]) for o in response.json()["occurrences"]]
    assert found == sorted(set(found))
    return found


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"cron_expression": "* * * * *"}, 1000),
        ({"cron_expression": "* * * * * *"}, 1000),
        ({"cron_expression": "30 2 * * *", "dst_overlap": "both"}, 1000),
        ({"cron_expression": "0 0 29 2 *"}, 1000),
        # A 29 February on a Sunday occurs every 28 years until the year 9999.
        ({"cron_expression": "0 0 29 2 */7"}, 259),
        # Each of these is in Berlin's gap.
        ({"cron_expression": "30 2 * 3 L0", "dst_gap": "skip"}, 0),
        (
            {"schedule_type": "interval", "schedule_config": {"interval_seconds": 1}},
            1000,
        ),
    ],
)
def test_the_longest_preview_is_fast(
    api: APIClient, fields: dict[str, Any], count: int
) -> None:
    assert len(instants(api, **BERLIN, **fields)) == count


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("kind", ["cron", "interval", "daily", "weekly", "once"])
@pytest.mark.parametrize(
    "after", ["9999-12-31T23:59:59Z", "9999-12-30T00:00:00Z", "0001-01-01T00:00:00Z"]
)
def test_a_preview_ends_with_the_calendar(
    api: APIClient, kind: str, zone: str, after: str
) -> None:
    of_kind: dict[str, dict[str, Any]] = {
        "cron": {"cron_expression": "*/7 * * * *"},
        "once": {"schedule_config": {"at": "9999-12-31T23:59:59Z"}},
    }

    found = instants(
        api, schedule_type=kind, timezone=zone, after=after, **of_kind.get(kind, {})
    )

    assert all(at > datetime.fromisoformat(after) for at in found)


def test_runs_are_shown_up_to_the_last_day_but_one(api: APIClient) -> None:
    found = instants(
        api,
        schedule_type="interval",
        timezone="Pacific/Kiritimati",
        after="9999-12-30T22:00:00Z",
    )

    assert [f"{at:%H:%M}" for at in found] == ["23:00"]


@pytest.mark.parametrize("path", sorted({path for _, path, _ in REQUESTS}))
def test_options_are_answered(api: APIClient, path: str) -> None:
    assert api.options(f"/api/v1/{path}").status_code == 200
