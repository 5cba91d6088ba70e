"""Triggers over the API: expressions of AWS and Quartz, schedules without any run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from tests.factories import AgentFactory, make_trigger
from triggers.models import Trigger
from triggers.services.lifecycle import enable_trigger
from triggers.services.scheduling import plan_next

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"
PAST = "2020-01-31T09:00:00Z"
AWS = "0 16 ? * 2-6 *"
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def create(api: APIClient, **fields: Any) -> Any:
    agent_id = str(AgentFactory.create().pk)
    body = {"name": "orders", "agent_id": agent_id, "trigger_type": "cron", **fields}
    return api.post(URL, body)


def created(api: APIClient, **fields: Any) -> dict[str, Any]:
    response = create(api, **fields)
    assert response.status_code == 201, response.json()
    shown: dict[str, Any] = response.json()
    return shown


def refused(api: APIClient, **fields: Any) -> dict[str, str]:
    """Return the faults by pointer; assert that nothing was stored."""
    response = create(api, **fields)
    assert response.status_code == 400
    assert not Trigger.objects.exists()
    return {each["pointer"]: each["detail"] for each in response.json()["errors"]}


@pytest.mark.parametrize(
    ("text", "stored", "read_as"),
    [
        (AWS, "0 16 * * 1-5", "aws"),
        ("cron(0 12 * * ? *)", "0 12 * * *", "aws"),
        ("0 0 12 ? * 2-6", "0 0 12 * * 1-5", "quartz"),
        ("30 8 15 * ?", "30 8 15 * *", None),
        ("0 12 * * mon-sun", "0 12 * * mon-sun", None),
    ],
)
def test_every_answer_says_how_an_expression_is_read_and_stored(
    api: APIClient, text: str, stored: str, read_as: str | None
) -> None:
    expected = {"cron_expression": stored, "read_as": read_as}  # D16
    given = {"cron_expression": text}

    shown = created(api, **given)

    answers = [
        shown,
        api.post("/api/v1/schedules/preview", given).json(),
        api.post("/api/v1/schedules/validate", given).json(),
        api.post(f"{URL}/validate-cron", given).json(),
        api.patch(f"{URL}/{shown['id']}", given).json(),
    ]
    assert [{name: each[name] for name in expected} for each in answers] == [
        expected
    ] * 5
    later = api.get(f"{URL}/{shown['id']}").json()
    assert (later["cron_expression"], later["read_as"]) == (stored, None)


def test_an_expression_in_the_config_is_stored_in_our_order_too(
    api: APIClient,
) -> None:
    shown = created(api, schedule_config={"cron": AWS})

    assert shown["schedule_config"] == {"cron": "0 16 * * 1-5"}
    assert shown["cron_expression"] == "0 16 * * 1-5"
    assert shown["read_as"] == "aws"
    again = api.patch(f"{URL}/{shown['id']}", {"description": "x"})
    assert again.status_code == 200
    assert again.json()["read_as"] is None


@time_machine.travel(NOON, tick=False)
def test_the_last_year_of_an_expression_becomes_its_end(api: APIClient) -> None:
    ends = [
        created(
            api,
            name=str(place),
            cron_expression="0 9 * * ? 2026-2027",
            timezone="Europe/Berlin",
            end_at=end_at,
        )["end_at"]
        for place, end_at in enumerate((None, "2027-06-01T00:00:00Z"))
    ]

    assert ends == ["2027-12-31T22:59:59Z", "2027-06-01T00:00:00Z"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"schedule_type": "once", "schedule_config": {"at": PAST}},
         "/schedule_config/at"),
        ({"schedule_type": "once", "schedule_config": {"at": "2020-01-31T09:00"}},
         "/schedule_config/at"),
        ({"schedule_type": "once", "schedule_config": {"at": "2090-01-31T09:00Z"},
          "end_at": "2080-01-01T00:00:00Z"}, "/end_at"),
        ({"schedule_type": "once", "schedule_config": {"at": "2090-01-31T09:00Z"},
          "start_at": "2091-01-01T00:00:00Z"}, "/start_at"),
        ({"schedule_type": "once", "schedule_config": {"at": "9999-12-31T23:59"}},
         "/schedule_config/at"),
        ({"cron_expression": "0 9 * * *", "end_at": PAST}, "/end_at"),
        ({"schedule_type": "interval", "end_at": PAST}, "/end_at"),
        ({"schedule_type": "daily", "end_at": PAST}, "/end_at"),
        ({"schedule_type": "weekly", "end_at": PAST}, "/end_at"),
        ({"schedule_config": {"interval_seconds": 86_400}, "start_at": PAST,
          "end_at": "2020-02-01T09:00:00Z"}, "/end_at"),
        ({"cron_expression": "0 0 29 2 *", "end_at": "2027-12-31T00:00:00Z"},
         "/end_at"),
        ({"cron_expression": "30 2 31 2 *"}, "/cron_expression"),
        ({"cron_expression": "30 2 * 3 L0", "timezone": "Europe/Berlin",
          "dst_gap": "skip"}, "/dst_gap"),
        ({"cron_expression": "0 9 * * *", "start_at": "9999-12-31T00:00:00Z"},
         "/start_at"),
    ],
)  # fmt: skip
@time_machine.travel(NOON, tick=False)
def test_a_schedule_without_any_run_is_refused(
    api: APIClient, fields: dict[str, Any], pointer: str
) -> None:
    found = refused(api, **fields)  # D26

    assert list(found) == [pointer]
    verdict = api.post("/api/v1/schedules/validate", fields).json()
    assert verdict["valid"] is False
    assert {e["pointer"]: e["detail"] for e in verdict["errors"]} == found
    assert verdict["cron_expression"] is None


@time_machine.travel(NOON, tick=False)
def test_the_refusal_names_the_run_that_the_end_cuts_off(api: APIClient) -> None:
    found = refused(api, cron_expression="0 0 29 2 *", end_at="2027-12-31T00:00:00Z")

    assert found["/end_at"] == (
        "The next run would be at 2028-02-29T00:00:00Z, after 'end_at'; give a later "
        "one, or leave it out"
    )


def make_finished() -> Trigger:
    at = timezone.now() + timedelta(hours=1)
    config = {"at": at.isoformat(timespec="seconds")}
    trigger = make_trigger(
        trigger_type="cron", schedule_type="once", schedule_config=config
    )
    past = {"at": (at - timedelta(days=9)).isoformat(timespec="seconds")}
    Trigger.objects.filter(pk=trigger.pk).update(schedule_config=past)
    return Trigger.objects.get(pk=trigger.pk)


def test_a_trigger_whose_schedule_is_over_can_still_be_edited(api: APIClient) -> None:
    trigger = make_finished()
    whole = api.get(f"{URL}/{trigger.pk}").json()

    kept = api.patch(f"{URL}/{trigger.pk}", {"description": "done"})
    disabled = api.patch(f"{URL}/{trigger.pk}", {"is_active": False})
    enable_trigger(trigger_id=trigger.pk)
    other = {"schedule_config": {"at": PAST}}
    changed = api.patch(f"{URL}/{trigger.pk}", other)

    assert (kept.status_code, disabled.status_code) == (200, 200)
    assert whole["schedule_config"] == kept.json()["schedule_config"]
    assert changed.status_code == 400
    assert [e["pointer"] for e in changed.json()["errors"]] == ["/schedule_config/at"]


def test_a_stored_step_beyond_its_range_still_runs_and_can_be_edited(
    api: APIClient,
) -> None:
    trigger = make_trigger(trigger_type="cron", cron_expression="0 * * * *")
    Trigger.objects.filter(pk=trigger.pk).update(cron_expression="*/90 * * * *")
    trigger.refresh_from_db()

    plan_next(trigger, after=NOON)
    kept = api.patch(f"{URL}/{trigger.pk}", {"description": "hourly"})
    again = api.patch(f"{URL}/{trigger.pk}", {"cron_expression": "*/91 * * * *"})

    assert trigger.next_run_time == NOON + timedelta(hours=1)
    assert kept.status_code == 200
    assert again.status_code == 400


def test_seconds_without_a_type_are_an_interval(api: APIClient) -> None:
    shown = created(api, schedule_config={"interval_seconds": 60})  # R429, D27

    assert shown["schedule_type"] == "interval"
    given = {"schedule_config": {"interval_seconds": 60}}
    described = api.post("/api/v1/schedules/describe", given).json()
    assert described == {"description": "Every minute"}


@pytest.mark.parametrize("fields", [{"schedule_type": "cron"}, {}])
def test_a_schedule_without_expression_or_interval_is_refused(
    api: APIClient, fields: dict[str, Any]
) -> None:
    assert set(refused(api, **fields)) <= {"/cron_expression", "/schedule_type"}  # D27


def test_both_an_expression_and_an_interval_are_refused(api: APIClient) -> None:
    given = {"cron_expression": "@daily", "schedule_config": {"interval_seconds": 60}}

    assert list(refused(api, **given)) == ["/schedule_config/interval_seconds"]


@pytest.mark.parametrize(
    ("fields", "runs"),
    [
        ({"schedule_config": {"interval_seconds": 7}}, 515),
        ({"cron_expression": "* 9 * * *"}, 60),
        ({"cron_expression": "*/10 * * * * *"}, 360),
        ({"cron_expression": "* * * * *", "max_runs": 40}, 40),
    ],
)
@pytest.mark.parametrize("minute", [0, 31])
def test_a_schedule_faster_than_its_limit_is_refused_with_both_numbers(
    api: APIClient, fields: dict[str, Any], runs: int, minute: int
) -> None:
    with time_machine.travel(datetime(2026, 12, 1, 9, minute, tzinfo=UTC), tick=False):
        found = refused(api, max_executions_per_hour=30, **fields)  # D20

    assert found == {
        "/max_executions_per_hour": f"The schedule comes due {runs} times an hour, but "
        "max_executions_per_hour is 30; raise it, or leave it empty for no limit"
    }


def test_a_schedule_as_fast_as_its_limit_is_accepted(api: APIClient) -> None:
    shown = created(api, cron_expression="*/2 * * * *", max_executions_per_hour=30)

    assert shown["max_executions_per_hour"] == 30


def test_every_second_week_counts_from_the_start(api: APIClient) -> None:
    shown = created(
        api,
        schedule_type="weekly",
        schedule_config={"day": 0, "time": "09:00", "every": 2},
        timezone="Europe/Berlin",
        start_at="2040-03-12T08:00:00Z",
    )

    assert shown["next_run_time"] == "2040-03-12T08:00:00Z"
    trigger = Trigger.objects.get(pk=shown["id"])
    plan_next(trigger, after=datetime(2040, 3, 12, 8, tzinfo=UTC))
    assert trigger.next_run_time == datetime(2040, 3, 26, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "zone"),
    [("W. Europe Standard Time", "Europe/Berlin"), ("PST", "America/Los_Angeles")],
)
def test_a_time_zone_of_another_system_is_named(
    api: APIClient, name: str, zone: str
) -> None:
    found = refused(api, cron_expression="@daily", timezone=name)

    assert list(found) == ["/timezone"]
    assert f"'{zone}'" in found["/timezone"]
