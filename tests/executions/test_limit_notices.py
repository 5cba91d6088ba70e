from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains
from rest_framework.test import APIClient

from events.models import Event, EventSource
from events.services.record import record_events
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.match import MAX_DEPTH
from tests.executions.flow import history
from tests.factories import make_created, make_listener, make_trigger, new_event, record
from tests.races import ROUNDS, race
from tests.webhooks.received import URL, accept
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

NOTICE = "trigger.rate_limited"


def notices(trigger: Trigger) -> list[Event]:
    events = Event.objects.filter(type=NOTICE).order_by("pk")
    return [e for e in events if body_of(e)["trigger_id"] == str(trigger.id)]


def body_of(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(event.body))
    return body


def hours_of_skips(trigger: Trigger) -> int:
    """Return in how many hours events were skipped: a test may run over one."""
    skipped = TriggerExecution.objects.filter(trigger=trigger, reason="rate_limited")
    times = skipped.values_list("executed_at", flat=True)
    return len({at.replace(minute=0, second=0, microsecond=0) for at in times})


def test_the_first_skipped_event_of_an_hour_is_announced() -> None:
    trigger = make_listener(name="orders", max_executions_per_hour=1)
    _, second, _ = record(), record(), record()

    drain()
    record()
    drain()

    found = notices(trigger)
    assert len(found) == hours_of_skips(trigger)
    assert body_of(found[0]) == {
        "trigger_id": str(trigger.id),
        "name": "orders",
        "limit": 1,
        "event_id": str(second.id),
        "hour": body_of(found[0])["hour"],
    }
    assert found[0].source == EventSource.INTERNAL
    assert (found[0].cause_id, found[0].depth) == (second.id, second.depth + 1)
    assert found[0].correlation_id == second.correlation_id


def test_each_hour_is_announced(time_machine: Any) -> None:
    trigger = make_listener(max_executions_per_hour=0)
    for hour in (10, 11, 11):
        time_machine.move_to(f"2026-03-01T{hour}:59:30Z")
        record()
        drain()

    assert [body_of(e)["hour"] for e in notices(trigger)] == [
        "2026-03-01T10:00:00Z",
        "2026-03-01T11:00:00Z",
    ]


@pytest.mark.django_db(transaction=True)
def test_the_log_says_which_trigger_and_when(caplog: pytest.LogCaptureFixture) -> None:
    trigger = make_listener(max_executions_per_hour=1)
    record(), record(), record()

    drain()

    execution = TriggerExecution.objects.filter(reason="rate_limited").earliest("id")
    lines = [r.getMessage() for r in caplog.records if "limit of" in r.getMessage()]
    assert lines == [
        (
            f"Trigger {trigger.id} reached its limit of 1 executions per hour at "
            f"{execution.executed_at.isoformat()}: event {execution.event_id} and "
            "those after it are skipped as rate_limited"
        )
    ]


def test_a_run_within_the_limit_announces_nothing() -> None:
    trigger = make_listener(max_executions_per_hour=1)
    record()

    drain()

    assert notices(trigger) == []


def test_a_limited_trigger_on_all_events_does_not_feed_itself() -> None:
    trigger = make_listener(event_types=["*"], max_executions_per_hour=1)
    record(), record()

    while drain():
        pass

    assert history(trigger)[:2] == ["success", "skipped: rate_limited"]
    assert len(notices(trigger)) == hours_of_skips(trigger)


def test_a_chain_of_notices_ends_at_the_maximum_depth() -> None:
    watcher = make_listener(event_types=[NOTICE])
    make_listener(max_executions_per_hour=0)
    record(depth=MAX_DEPTH)

    drain(), drain()

    assert history(watcher) == ["skipped: loop"]


@pytest.mark.django_db(transaction=True)
def test_eight_workers_announce_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("executions.pipeline.leases.MAX_EVENTS", 1)
    for number in range(ROUNDS):
        trigger = make_listener(max_executions_per_hour=2, event_types=[f"r.{number}"])
        record_events([new_event(type=f"r.{number}") for _ in range(8)])

        race(drain)

        assert len(notices(trigger)) == hours_of_skips(trigger)


def test_redelivery_by_reason_repairs_what_the_limit_skipped(api: APIClient) -> None:
    trigger = make_created(
        trigger_type="webhook", webhook={}, max_executions_per_hour=2
    ).trigger
    assert trigger.endpoint is not None
    for number in range(5):
        accept(trigger.endpoint, b'{"n": %d}' % number)
    drain()
    Trigger.objects.filter(pk=trigger.pk).update(max_executions_per_hour=None)
    wanted = {"trigger_id": str(trigger.id), "reason": "rate_limited"}

    listed = api.get(URL, wanted).json()
    sent = {**wanted, "idempotency_key": "repair"}
    answers = [api.post(f"{URL}/redeliver", sent).json() for _ in range(2)]
    drain()

    assert listed["total_count"] == 3
    assert [answer["count"] for answer in answers] == [3, 3]
    outcomes = ["success"] * 2 + ["skipped: rate_limited"] * 3 + ["success"] * 3
    assert history(trigger) == outcomes


def test_an_unknown_reason_is_refused(api: APIClient) -> None:
    response = api.post(f"{URL}/redeliver", {"reason": "rate_limit"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/reason"


def test_reasons_of_other_triggers_do_not_count(api: APIClient) -> None:
    limited = make_created(
        trigger_type="webhook", webhook={}, max_executions_per_hour=0
    ).trigger
    other = make_trigger(
        trigger_type="webhook", endpoint=limited.endpoint, max_executions_per_hour=None
    )
    assert limited.endpoint is not None
    accept(limited.endpoint)
    drain()

    found = [
        api.get(URL, {"trigger_id": str(t.id), "reason": "rate_limited"}).json()
        for t in (limited, other)
    ]

    assert [answer["total_count"] for answer in found] == [1, 0]


@pytest.mark.parametrize(
    ("limit", "text"),
    [(1, "1 of 1 used in the last 60 minutes"), (5, "2 of 5 used")],
)
def test_the_page_of_a_trigger_shows_its_hourly_use(
    client: Client, admin: User, limit: int, text: str
) -> None:
    client.force_login(admin)
    trigger = make_listener(max_executions_per_hour=limit)
    record(), record()
    drain()

    page = client.get(reverse("admin:triggers_trigger_change", args=[trigger.pk]))

    assertContains(page, text)
    assertContains(page, "1 skipped", count=1 if limit == 1 else 0)
