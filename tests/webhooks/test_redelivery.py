from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from agents.models import AgentTask
from events.models import Event, EventKey, Inbox
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.conditions.builders import rule, rules
from tests.factories import make_agent, make_created
from tests.races import ROUNDS, THREADS, race
from tests.webhooks.received import URL, accept, make_endpoint, reject, repeat, visitor
from triggers.models import Trigger
from webhooks.deliveries.redelivery import redeliver, redeliver_many, select_accepted
from webhooks.models import Delivery, WebhookEndpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return make_endpoint(subject="acme")


def make_trigger(**fields: Any) -> Trigger:
    return make_created(
        trigger_type="webhook", webhook={}, max_executions_per_hour=None, **fields
    ).trigger


def redelivered(api: APIClient, pk: object, **sent: Any) -> dict[str, Any]:
    response = api.post(f"{URL}/{pk}/redeliver", sent)
    assert response.status_code == 202, response.json()
    answer: dict[str, Any] = response.json()
    return answer


def test_a_redelivery_is_a_new_event_of_the_same_request(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, b'{"a": 1.0}', query="?q=1", X_Delivery_Id="d-1")

    answer = redelivered(api, event.pk)

    again = Event.objects.get(replay_of=event.pk)
    assert answer == {
        "delivery_id": str(event.pk),
        "event_id": str(again.pk),
        "duplicate": False,
        "status_url": f"http://testserver/api/v1/events/{again.pk}",
    }
    same = ("type", "source", "subject", "endpoint_id", "request", "delivery_id")
    assert [getattr(again, name) for name in same] == [
        getattr(event, name) for name in same
    ]
    assert (bytes(again.body), again.body_size) == (b"", 10)
    assert not EventKey.objects.filter(event_id=again.pk).exists()
    assert Inbox.objects.filter(pk=again.pk).exists()


def test_a_redelivery_is_processed_by_all_triggers_of_the_endpoint(
    api: APIClient,
) -> None:
    trigger = make_trigger(
        parameter_mapping={"amount": "body.amount"},
        conditions=rules(rule("body.amount", "gt", 1000)),
    )
    assert trigger.endpoint is not None
    event = accept(trigger.endpoint, b'{"amount": 1200}')
    drain()

    answer = redelivered(api, event.pk)
    drain()

    executions = TriggerExecution.objects.order_by("pk")
    assert [(e.status, e.replay_of) for e in executions] == [
        ("success", None),
        ("success", event.pk),
    ]
    assert str(executions[1].event_id) == answer["event_id"]
    tasks = AgentTask.objects.order_by("pk")
    assert [task.parameters["amount"] for task in tasks] == [1200, 1200]


def test_a_redelivery_of_a_redelivery_names_the_first_event(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, b'{"a": 2}')
    again = redelivered(api, event.pk)["event_id"]

    third = redelivered(api, again)["event_id"]

    assert Event.objects.get(pk=third).replay_of == event.pk
    assert api.get(f"{URL}/{third}/body").content == b'{"a": 2}'
    assert api.get(f"{URL}/{third}").json()["body"]["size"] == 8
    assert api.get(f"{URL}/{event.pk}").json()["redelivered_as"] == [third, again]


def test_redelivering_a_duplicate_repeats_its_event(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, X_Delivery_Id="d-1")
    duplicate = repeat(event, endpoint)

    answer = redelivered(api, duplicate.pk)

    assert answer["delivery_id"] == str(duplicate.pk)
    assert Event.objects.get(pk=answer["event_id"]).replay_of == event.pk


def test_redelivering_a_rejection_is_refused_with_a_suggestion(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    rejection = reject(endpoint)

    response = api.post(f"{URL}/{rejection.pk}/redeliver")

    assert response.status_code == 409
    assert response.json()["error_code"] == "not_redeliverable"
    assert "Enter the same secret on both sides" in response.json()["detail"]
    assert "let the sender deliver it again" in response.json()["detail"]
    assert not Event.objects.exists()


def test_redelivering_a_deleted_body_is_refused(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint)
    again = redelivered(api, event.pk)["event_id"]
    duplicate = repeat(event, endpoint)
    event.delete()

    statuses = [
        api.post(f"{URL}/{pk}/redeliver").status_code
        for pk in (again, duplicate.pk, event.pk, uuid4())
    ]

    assert statuses == [409, 409, 404, 404]
    assert api.get(f"{URL}/{again}/body").status_code == 410
    assert Event.objects.count() == 1


def test_one_idempotency_key_records_one_event(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint)
    address = f"{URL}/{event.pk}/redeliver"

    first = api.post(address, headers={"Idempotency-Key": "k-1"}).json()
    second = redelivered(api, event.pk, idempotency_key="k-1")
    redelivered(api, event.pk)
    redelivered(api, event.pk)

    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["event_id"] == second["event_id"]
    assert Event.objects.filter(replay_of=event.pk).count() == 3


@pytest.mark.django_db(transaction=True)
def test_concurrent_calls_with_one_key_record_one_event(
    endpoint: WebhookEndpoint,
) -> None:
    endpoint = make_endpoint()
    delivery = Delivery.objects.get(pk=accept(endpoint).pk)

    for number in range(ROUNDS):
        key = f"k-{number}"
        done = race(lambda key=key: redeliver(delivery=delivery, idempotency_key=key))  # type: ignore[misc]  # bound now

        assert len({redelivery.event_id for redelivery in done}) == 1
        assert [r.is_duplicate for r in done].count(False) == 1

    done = race(lambda: redeliver(delivery=delivery))
    assert len({redelivery.event_id for redelivery in done}) == THREADS


def redelivered_many(api: APIClient, **sent: Any) -> dict[str, Any]:
    response = api.post(f"{URL}/redeliver", sent)
    assert response.status_code == 202, response.json()
    answer: dict[str, Any] = response.json()
    return answer


def test_many_are_redelivered_oldest_first(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    events = [accept(endpoint) for _ in range(3)]
    accept(make_endpoint())
    reject(endpoint)
    redelivered(api, events[0].pk)

    answer = redelivered_many(api, endpoint_id=str(endpoint.pk), limit=2)

    assert answer["count"] == 2
    assert answer["delivery_ids"] == [str(e.pk) for e in events[:2]]
    assert answer["next_from"] == events[2].received_at.isoformat().replace(
        "+00:00", "Z"
    )
    recorded = Event.objects.filter(
        pk__in=[r["event_id"] for r in answer["redeliveries"]]
    )
    assert [e.replay_of for e in recorded.order_by("pk")] == [e.pk for e in events[:2]]


def test_a_dry_run_records_nothing(api: APIClient, endpoint: WebhookEndpoint) -> None:
    event = accept(endpoint)

    answer = redelivered_many(api, endpoint_id=str(endpoint.pk), dry_run=True)

    assert (answer["count"], answer["delivery_ids"]) == (1, [str(event.pk)])
    assert (answer["redeliveries"], answer["next_from"]) == ([], None)
    assert Event.objects.count() == 1


def test_many_are_redelivered_by_trigger_and_with_a_key(api: APIClient) -> None:
    trigger = make_trigger()
    assert trigger.endpoint is not None
    event = accept(trigger.endpoint)
    sent = {"trigger_id": str(trigger.pk), "idempotency_key": "outage of Monday"}

    first, second = redelivered_many(api, **sent), redelivered_many(api, **sent)

    [one], [other] = first["redeliveries"], second["redeliveries"]
    assert one["event_id"] == other["event_id"]
    assert (one["duplicate"], other["duplicate"]) == (False, True)
    assert Event.objects.filter(replay_of=event.pk).count() == 1


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({}, ""),
        ({"limit": 10}, ""),
        ({"endpoint_id": "x"}, "/endpoint_id"),
        ({"event_type": "a", "limit": 1001}, "/limit"),
        ({"event_type": "a", "limit": 0}, "/limit"),
        ({"start_date": "yesterday"}, "/start_date"),
        ({"outcome": "rejected"}, "/outcome"),
        ({"endpont_id": "x"}, "/endpont_id"),
    ],
)
def test_an_invalid_filter_is_refused_and_redelivers_nothing(
    api: APIClient, endpoint: WebhookEndpoint, sent: dict[str, Any], pointer: str
) -> None:
    accept(endpoint)

    response = api.post(f"{URL}/redeliver", sent)

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == pointer
    assert Event.objects.count() == 1


@pytest.mark.parametrize("path", ["redeliver", "test", f"{UUID(int=0)}/redeliver"])
def test_a_body_that_is_no_object_is_refused(api: APIClient, path: str) -> None:
    response = api.post(f"{URL}/{path}", [1])

    assert response.status_code == 400
    assert not Event.objects.exists()


def test_five_hundred_deliveries_take_three_statements(
    endpoint: WebhookEndpoint, django_assert_num_queries: Any
) -> None:
    ids = [accept(endpoint).pk for _ in range(12)]

    with django_assert_num_queries(5):  # two of them are a savepoint
        assert len(redeliver_many(delivery_ids=ids)) == 12


def test_a_thousand_deliveries_are_redelivered_in_one_call(
    endpoint: WebhookEndpoint,
) -> None:
    event = accept(endpoint)
    copies = [
        Event(
            type=event.type,
            source=event.source,
            body=b"{}",
            body_size=2,
            request=event.request,
            endpoint_id=endpoint.pk,
            received_at=event.received_at,
            correlation_id=uuid4(),
        )
        for _ in range(1200)
    ]
    Event.objects.bulk_create(copies)

    chosen = select_accepted(deliveries=Delivery.objects.all(), limit=1000)
    done = redeliver_many(delivery_ids=chosen.without(set()))

    assert len(done) == 1000
    assert chosen.next_from == event.received_at
    assert Event.objects.filter(replay_of__isnull=False).count() == 1000


def test_a_user_cannot_deliver_to_agents_without_permission() -> None:
    agent = make_agent()
    agent.groups.add(Group.objects.create(name="ops"))
    trigger = make_trigger(agent=agent)
    assert trigger.endpoint is not None
    event, ben = accept(trigger.endpoint), visitor("view_delivery", "change_delivery")
    by_endpoint = {"endpoint_id": str(trigger.endpoint_id)}

    statuses = [
        ben.post(f"{URL}/{event.pk}/redeliver").status_code,
        ben.post(f"{URL}/redeliver", by_endpoint).status_code,
        ben.post(f"{URL}/test", by_endpoint).status_code,
    ]

    assert statuses == [403, 403, 403]
    assert Event.objects.count() == 1
