from __future__ import annotations

import pytest

from common.ids import uuid7
from events.models import Event, EventSource, Inbox
from executions.services.run import run_trigger
from tests.factories import make_listener
from triggers.services.lifecycle import TriggerNotFound, delete_trigger

pytestmark = pytest.mark.django_db


def test_a_run_is_an_event_aimed_at_its_trigger() -> None:
    trigger = make_listener(subject="acme")

    event_id = run_trigger(trigger_id=trigger.id, payload={"a": "\x00\ud800"})

    event = Event.objects.get(pk=event_id)
    assert (event.type, event.source) == ("trigger.run", EventSource.MANUAL)
    assert (event.trigger_id, event.subject) == (trigger.id, "acme")
    assert bytes(event.body) == b'{"a":"\\u0000\\ud800"}'
    assert event.options == {"parameters": {}, "skip_conditions": False}
    assert Inbox.objects.get().event_id == event_id


def test_each_press_of_run_is_an_event() -> None:
    trigger = make_listener()

    assert run_trigger(trigger_id=trigger.id) != run_trigger(trigger_id=trigger.id)


def test_an_unknown_or_deleted_trigger_cannot_be_run() -> None:
    deleted = make_listener()
    delete_trigger(trigger_id=deleted.id)

    for trigger_id in (uuid7(), deleted.id):
        with pytest.raises(TriggerNotFound):
            run_trigger(trigger_id=trigger_id)

    assert not Event.objects.exists()
