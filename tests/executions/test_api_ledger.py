from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from rest_framework.test import APIClient

from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_agent, make_trigger, record
from tests.triggers.due_triggers import NOON, make_due
from triggers.clocks.mirror import HEARTBEAT_NAME
from triggers.models import ScheduleVersion, Trigger
from triggers.services.claim import claim_due

pytestmark = pytest.mark.django_db

MINUTES = {"from": "2026-06-01T12:00:00Z", "to": "2026-06-01T12:02:00Z"}
PAST = {"from": "2026-06-01T11:57:00Z", "to": "2026-06-01T11:59:00Z"}
ABSENT = UUID(int=0)
HAS_N = {"field": "body.n", "operator": "exists"}


@pytest.fixture
def trigger() -> Trigger:
    """A trigger that is due every minute and was created before noon."""
    trigger = make_due()
    ScheduleVersion.objects.update(valid_from=NOON - timedelta(hours=1))
    return trigger


def visitor(*codenames: str) -> APIClient:
    user = User.objects.create_user("ben")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = APIClient()
    client.force_authenticate(user)
    return client


def address(trigger: Trigger | UUID, what: str) -> str:
    return f"/api/v1/triggers/{getattr(trigger, 'pk', trigger)}/{what}"


def test_the_ledger_shows_all_fields(api: APIClient, trigger: Trigger) -> None:
    claim_due(now=NOON)
    drain()

    answer = api.get(address(trigger, "audit"), MINUTES)

    event, execution = Event.objects.get(), TriggerExecution.objects.get()
    assert execution.task is not None
    body = answer.json()
    [fired, *waiting] = body.pop("occurrences")
    assert answer.status_code == 200
    assert body == {
        **MINUTES,
        "trigger_id": str(trigger.pk),
        "horizon": None,
        "clamped": False,
        "complete": True,
        "next_from": None,
        "counts": {
            "fired": 1,
            "skipped": 0,
            "missed": 0,
            "waiting": 2,
            "unaccounted": 0,
        },
        "unaccounted": [],
        "notes": [],
    }
    late = (event.received_at - NOON).total_seconds()
    assert fired == {
        "scheduled_for": "2026-06-01T12:00:00Z",
        "due_at": "2026-06-01T12:00:00Z",
        "status": "fired",
        "reason": "",
        "event_id": str(event.pk),
        "execution_id": str(execution.pk),
        "execution_status": "success",
        "task_id": str(execution.task_id),
        "task_status": execution.task.status,
        "fired_at": event.received_at.isoformat().replace("+00:00", "Z"),
        "lateness_seconds": round(late, 3),
        "note": "",
    }
    assert {entry["status"] for entry in waiting} == {"waiting"}


def test_a_page_of_the_ledger_names_the_start_of_the_next(
    api: APIClient, trigger: Trigger
) -> None:
    answer = api.get(address(trigger, "audit"), {**MINUTES, "limit": "2"})

    body = answer.json()
    assert len(body["occurrences"]) == 2
    assert (body["complete"], body["next_from"]) == (False, "2026-06-01T12:02:00Z")


def test_the_default_range_of_the_ledger_is_the_last_day(
    api: APIClient, trigger: Trigger
) -> None:
    body = api.get(address(trigger, "audit"), {"format": "json"}).json()

    last = datetime.fromisoformat(body["to"])
    assert datetime.fromisoformat(body["from"]) == last - timedelta(days=1)
    assert timezone.now() - last < timedelta(minutes=1)


def test_the_default_start_is_a_day_before_the_end(
    api: APIClient, trigger: Trigger
) -> None:
    url = address(trigger, "audit")
    known = api.get(url, {"to": "2026-06-01T12:00:00Z"}).json()
    first = api.get(url, {"to": "1970-01-01T00:00:00Z"}).json()
    future = api.get(url, {"to": "2100-01-01T00:00:00Z"}).json()

    assert known["from"] == "2026-05-31T12:00:00Z"
    assert (first["from"], first["to"]) == ("1970-01-01T00:00:00Z",) * 2
    last = datetime.fromisoformat(future["to"])
    assert timezone.now() - last < timedelta(minutes=1)
    since = datetime.fromisoformat(future["from"])
    assert last - since == pytest.approx(timedelta(days=1), abs=timedelta(seconds=5))


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"from": "yesterday"}, "/from"),
        ({"from": "2026-06-01T12:00:00"}, "/from"),
        ({"from": "1969-12-31T00:00:00Z"}, "/from"),
        ({"from": "2999-01-01T00:00:00Z"}, "/from"),
        ({"from": "2026-06-01T12:00:00Z", "to": "2026-06-01T12:00:00Z"}, "/from"),
        ({"limit": 10_001}, "/limit"),
        ({"since": "2026-06-01T12:00:00Z"}, "/since"),
    ],
)
def test_an_invalid_range_is_rejected(
    api: APIClient, query: dict[str, Any], pointer: str
) -> None:
    answer = api.get(address(make_trigger(), "audit"), query)

    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_a_backfill_returns_the_numbers_it_recorded(
    api: APIClient, trigger: Trigger
) -> None:
    answer = api.post(address(trigger, "backfill"), {**PAST, "limit": 2})

    assert answer.status_code == 202
    assert answer.json() == {
        **PAST,
        "occurrences": 3,
        "at_least": False,
        "with_event": 0,
        "recorded": 2,
        "left_out": 1,
        "next_from": "2026-06-01T11:59:00Z",
        "dry_run": False,
    }
    assert Event.objects.filter(type="schedule.backfill").count() == 2


def test_a_dry_run_of_a_backfill_is_200(api: APIClient, trigger: Trigger) -> None:
    answer = api.post(address(trigger, "backfill"), {**PAST, "dry_run": True})

    assert (answer.status_code, answer.json()["recorded"]) == (200, 3)
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"to": "2026-06-01T12:00:00Z"}, "/from"),
        ({**MINUTES, "limit": 1001}, "/limit"),
        ({**MINUTES, "overlap": "queue"}, "/overlap"),
        ({**MINUTES, "dry": True}, "/dry"),
        ({"from": "2999-01-01T00:00:00Z"}, "/from"),
    ],
)
def test_an_invalid_backfill_is_rejected(
    api: APIClient, trigger: Trigger, body: dict[str, Any], pointer: str
) -> None:
    answer = api.post(address(trigger, "backfill"), body)

    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert not Event.objects.exists()


def test_a_trigger_without_a_schedule_is_not_backfilled(api: APIClient) -> None:
    answer = api.post(address(make_trigger(), "backfill"), MINUTES)

    assert answer.status_code == 400
    assert answer.json()["error_code"] == "no_schedule"
    assert [f["pointer"] for f in answer.json()["errors"]] == ["/trigger_type"]
    assert not Event.objects.exists()


def test_backfilling_needs_the_change_permission_and_the_agent(
    trigger: Trigger,
) -> None:
    trigger.agent.groups.create(name="others")
    readers = visitor("view_trigger")
    assert readers.post(address(trigger, "backfill"), MINUTES).status_code == 403

    User.objects.all().delete()
    without_agent = visitor("view_trigger", "change_trigger")
    answer = without_agent.post(address(trigger, "backfill"), MINUTES)

    assert answer.status_code == 403
    assert not Event.objects.exists()


def test_the_status_shows_all_fields(api: APIClient, trigger: Trigger) -> None:  # R393
    agent = make_agent(kind="workflow")
    Trigger.objects.update(agent=agent)

    body = api.get(address(trigger, "status")).json()

    assert body["trigger_id"] == str(trigger.pk)
    assert (body["workflow_id"], body["enabled"]) == (str(agent.pk), True)
    assert (body["schedule_type"], body["schedule_config"]) == ("cron", {})
    assert (body["last_run"], body["next_run"]) == (None, "2026-06-01T12:00:00Z")
    assert (body["run_count"], body["error_count"]) == (0, 0)
    assert (body["last_error"], body["last_failure"]) == (None, None)
    assert body["next_runs"][4]["due_at"] == "2026-06-01T12:04:00Z"
    assert body["clock"]["status"] == "running"


def test_the_status_shows_what_a_clock_starts(  # R126
    api: APIClient, trigger: Trigger
) -> None:
    conditions = {"type": "rule", "rules": [HAS_N]}
    sent = {"task_parameters": {"a": 1}, "conditions": conditions}
    assert api.patch(f"/api/v1/triggers/{trigger.pk}", sent).status_code == 200

    body = api.get(address(trigger, "status")).json()

    assert body["trigger_id"] == str(trigger.pk)
    assert body["agent_id"] == str(trigger.agent_id)
    assert (body["cron_expression"], body["timezone"]) == ("* * * * *", "UTC")
    assert (body["task_parameters"], body["conditions"]) == ({"a": 1}, conditions)


def test_errors_are_shown_to_users_who_may_view_executions(trigger: Trigger) -> None:
    TriggerExecution.objects.create(
        trigger=trigger,
        event=record(),
        status="failed",
        executed_at=NOON,
        error_message="no paper",
        trigger_version=1,
    )
    all_seeing = visitor("view_trigger", "view_triggerexecution")
    seen = all_seeing.get(address(trigger, "status")).json()
    User.objects.all().delete()
    unseen = visitor("view_trigger").get(address(trigger, "status")).json()

    assert (seen["last_error"], unseen["last_error"]) == ("failed: no paper", None)
    assert unseen["last_failure"] is None


@pytest.mark.parametrize("what", ["audit", "status"])
def test_pages_of_an_unknown_trigger_are_404(api: APIClient, what: str) -> None:
    answer = api.get(address(ABSENT, what))

    assert answer.status_code == 404
    assert answer.json()["error_code"] == "trigger_not_found"


def test_backfilling_an_unknown_trigger_is_404(api: APIClient) -> None:
    assert api.post(address(ABSENT, "backfill"), MINUTES).status_code == 404


def test_health_is_503_while_the_clock_is_not_running(
    api: APIClient, trigger: Trigger
) -> None:
    PeriodicTask.objects.filter(name=HEARTBEAT_NAME).update(last_run_at=None)
    stopped = api.get("/api/v1/triggers/health")
    PeriodicTask.objects.filter(name=HEARTBEAT_NAME).update(last_run_at=timezone.now())
    ticking = api.get("/api/v1/triggers/health")

    assert (stopped.status_code, ticking.status_code) == (503, 200)
    assert ticking.json() == {
        "status": "healthy",
        "clock": {"name": "triggers.clocks.beat.BeatScheduler", "is_healthy": True},
        "overdue_triggers": 1,
        "waiting_events": 0,
        "snapshot_holder": None,
    }
    assert stopped.json()["status"] == "unhealthy"
