from __future__ import annotations

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from events.models import Event
from events.services.emit import emit
from executions.models import Retention
from executions.pipeline.parse import read_bodies
from tests.executions.retention.old import (
    counts,
    id_of,
    make_event,
    make_execution,
    purge,
)
from webhooks.deliveries.redelivery import redeliver_many, select_accepted
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keep_7_days(settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = 90
    settings.EVENT_BODY_RETENTION_DAYS = 7


def bodies() -> list[bytes]:
    return [bytes(event.body) for event in Event.objects.order_by("pk")]


def test_an_old_body_is_removed_and_its_event_stays() -> None:
    make_event(days=8, body=b"old")
    make_event(days=6, body=b"young")

    assert counts(purge()) == {"bodies": 1}
    assert bodies() == [b"", b"young"]
    assert list(Event.objects.order_by("pk").values_list("body_size", flat=True)) == [
        3,
        5,
    ]


def test_a_needed_body_is_kept_and_removed_later() -> None:
    waiting = make_event(days=50, body=b"waits", is_waiting=True)
    open_ = make_execution(make_event(days=40, body=b"open"), status="pending")
    original = make_event(days=30, body=b"replayed")
    replay = make_event(days=1, replay_of=original.pk, body=b"", body_size=8)
    make_event(days=20, body=b"free")

    assert counts(purge()) == {"bodies": 1}
    assert bodies() == [b"waits", b"open", b"replayed", b"", b""]

    waiting.inbox.delete()
    open_.__class__.objects.update(status="success")
    Event.objects.filter(pk=replay.pk).update(id=id_of(days=8))

    assert counts(purge()) == {"bodies": 3}
    assert bodies() == [b""] * 5


def test_the_body_of_an_event_that_only_its_task_keeps_is_removed() -> None:
    make_execution(make_event(days=100, body=b"old"), ended_days_ago=1)

    assert counts(purge()) == {"bodies": 1}
    assert bodies() == [b""]


def test_a_purge_continues_where_the_last_one_ended() -> None:
    make_event(days=9, body=b"first")
    purge()
    up_to = Retention.objects.get().bodies_up_to
    Event.objects.update(body=b"again")
    second = make_event(days=8, body=b"second")

    assert counts(purge()) == {"bodies": 1}
    assert bodies() == [b"again", b""]
    assert up_to is not None
    assert up_to < second.pk


def test_the_bodies_of_missed_ranges_are_kept_for_the_ledger() -> None:
    make_event(days=8, type="schedule.missed", source="schedule", body=b'{"from": 1}')

    assert counts(purge()) == {}
    assert bodies() == [b'{"from": 1}']


def test_a_removed_body_is_answered_as_gone(api: APIClient) -> None:
    event = make_event(days=8, body=b"old")
    replay = make_event(days=7.5, replay_of=event.pk, body_size=3)
    purge()

    for pk in (event.pk, replay.pk):
        answer = api.get(f"/api/v1/events/{pk}/body")
        assert answer.status_code == 410
        assert answer.json()["error_code"] == "body_removed"
        assert "7 days" in answer.json()["detail"]
    assert api.get(f"/api/v1/events/{event.pk}").json()["body_size"] == 3


def test_a_delivery_without_its_body_cannot_be_redelivered(api: APIClient) -> None:
    endpoint = create_endpoint().endpoint
    old, young = (
        make_event(days=days, source="webhook", endpoint_id=endpoint.pk, type="generic")
        for days in (8, 6)
    )
    purge()

    answer = api.post(f"/api/v1/deliveries/{old.pk}/redeliver")
    assert (answer.status_code, answer.json()["error_code"]) == (
        409,
        "not_redeliverable",
    )
    assert api.get(f"/api/v1/deliveries/{old.pk}/body").status_code == 410
    chosen = select_accepted(deliveries=Delivery.objects.all(), limit=10)
    assert chosen.without(set()) == [young.pk]
    assert redeliver_many(delivery_ids=[old.pk]) == []
    assert Event.objects.count() == 2


def test_a_duplicate_of_an_event_without_its_body_is_a_duplicate() -> None:
    first = emit("invoice.paid", {"a": 1}, idempotency_key="k")
    Event.objects.filter(pk=first.event_id).update(body=b"")

    again = emit("invoice.paid", {"a": 2}, idempotency_key="k")

    assert (again.event_id, again.is_duplicate) == (first.event_id, True)


def test_a_duplicate_delivery_of_a_removed_body_is_a_duplicate() -> None:
    path = f"/webhooks/{create_endpoint().endpoint.webhook_id}"
    answers = []
    for _ in range(2):
        answer = Client().post(
            path, b'{"a":1}', "application/json", headers={"X-Delivery-Id": "d"}
        )
        answers.append(answer.json()["status"])
        Event.objects.update(body=b"")

    assert answers == ["accepted", "duplicate"]


def test_the_page_of_an_event_says_that_its_body_was_removed(
    admin_client: Client,
) -> None:
    event = make_event(days=8, body=b"old")
    purge()

    page = admin_client.get(f"/admin/events/event/{event.pk}/change/")

    assert "EVENT_BODY_RETENTION_DAYS" in page.content.decode()


def test_the_pipeline_reads_a_replay_through_its_original() -> None:
    original = make_event(days=30, body=b'{"a": 1}')
    replay = make_event(days=20, replay_of=original.pk, is_waiting=True)
    purge()

    assert read_bodies([replay])[replay.pk].value == {"a": 1}
