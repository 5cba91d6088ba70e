"""Previews are fast and succeed for any date of the calendar."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

URL = "/api/v1/schedules/preview"
MOST_SECONDS = 5.0  # CPU time; the slowest takes one second
BERLIN = {"timezone": "Europe/Berlin", "after": "2026-01-01T00:00:00Z"}


def instants(api: APIClient, **fields: Any) -> list[datetime]:
    """Return the instants of a preview; assert that it is fast and they increase."""
    started = time.process_time()
    response = api.post(URL, {"count": 1000, **fields})
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
