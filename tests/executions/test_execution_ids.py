from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from common.ids import derived_uuid7
from events.models import Inbox
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.services.run import backfill_trigger, run_trigger
from tests.factories import make_listener, record
from tests.triggers.due_triggers import NOON, make_due
from tests.webhooks.received import accept, make_endpoint
from webhooks.deliveries.redelivery import redeliver
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db


def emitted() -> None:
    make_listener(), make_listener()
    record(), record()


def poisonous() -> None:
    make_listener()
    record()
    Inbox.objects.update(deaths=3)


def run_now() -> None:
    run_trigger(trigger_id=make_listener().id)


def backfilled() -> None:
    hour = timedelta(hours=1)
    backfill_trigger(trigger_id=make_due().id, since=NOON - hour, until=NOON, limit=1)


def redelivered() -> None:
    endpoint = make_endpoint()
    make_listener(event_types=["generic.*"])
    event = accept(endpoint)
    redeliver(delivery=Delivery.objects.get(pk=event.pk))


def held() -> None:
    make_listener(overlap="buffer_all")
    record(), record()


@pytest.mark.parametrize(
    "arrive", [emitted, poisonous, run_now, backfilled, redelivered, held]
)
def test_the_id_of_an_execution_is_derived_from_its_event_and_trigger(
    arrive: Callable[[], None],
) -> None:
    arrive()

    drain()

    ids: list[tuple[UUID, UUID, UUID]] = list(
        TriggerExecution.objects.values_list("id", "event_id", "trigger_id")
    )
    assert ids
    assert [made for made, _, _ in ids] == [
        derived_uuid7(event_id, by=trigger_id) for _, event_id, trigger_id in ids
    ]
    assert {made.bytes[:6] for made, _, _ in ids} == {e.bytes[:6] for _, e, _ in ids}
