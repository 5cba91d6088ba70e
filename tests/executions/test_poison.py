from __future__ import annotations

import pytest
from django.db import connection

from agents.models import AgentTask
from common.database.errors import DatabaseAway
from events.models import Inbox
from events.services.record import record_events
from executions.models import DrainLease, TriggerExecution
from executions.pipeline.drain import drain
from tests.executions.poison import refused_executions
from tests.factories import make_listener, new_event, record

pytestmark = pytest.mark.django_db(transaction=True)


def statuses() -> dict[str, int]:
    found = list(TriggerExecution.objects.values_list("status", flat=True))
    return {status: found.count(status) for status in set(found)}


def test_one_event_that_cannot_be_stored_does_not_hold_up_the_others() -> None:
    make_listener()
    events = [new_event() for _ in range(20)]
    record_events(events)

    with refused_executions("event_id", events[7].id):
        assert drain() == 20

    poison = TriggerExecution.objects.get(status="failed")
    assert (poison.event_id, poison.reason) == (events[7].id, "poison")
    assert (poison.error_type, poison.task) == ("ProgrammingError", None)
    stack, _, text = poison.error_message.rpartition("\n")
    assert text == "ProgrammingError (SQLSTATE P0001): refused"
    assert ", in store_executions\n" in stack  # R263
    assert statuses() == {"success": 19, "failed": 1}
    assert AgentTask.objects.filter(status="submitted").count() == 19
    assert not Inbox.objects.exists()
    assert not DrainLease.objects.exists()


def test_one_trigger_that_cannot_be_stored_does_not_hold_up_the_others() -> None:
    bad, good = make_listener(), make_listener()
    record_events([new_event() for _ in range(3)])

    with refused_executions("trigger_id", bad.id):
        drain()

    assert TriggerExecution.objects.filter(trigger=good, status="success").count() == 3
    assert TriggerExecution.objects.filter(trigger=bad, reason="poison").count() == 3
    assert AgentTask.objects.count() == 3


@pytest.mark.parametrize(
    "state",
    ["40001", "40P01", "53100", "53200", "55P03", "57P01", "58030", "25006"],
)
def test_an_unavailable_database_marks_no_event_as_failed(state: str) -> None:
    make_listener()
    events = [new_event() for _ in range(4)]
    record_events(events)

    away = refused_executions("event_id", events[2].id, state=state)
    with away, pytest.raises(DatabaseAway):
        drain()
    assert Inbox.objects.filter(deaths=0).count() == 4
    assert not TriggerExecution.objects.exists()
    assert not DrainLease.objects.exists()

    assert drain() == 4
    assert statuses() == {"success": 4}


def test_a_connection_lost_in_a_batch_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_listener()
    record(), record()

    def hang_up(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as broken:
        broken.setattr("executions.pipeline.drain.admit", hang_up)
        with pytest.raises(DatabaseAway):
            drain()
    connection.close()

    assert Inbox.objects.count() == 2
    assert not TriggerExecution.objects.exists()
    assert not AgentTask.objects.exists()


def test_a_failed_submission_loses_no_execution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_listener()
    record()

    def fail(*_: object) -> int:
        raise RuntimeError("no way")

    monkeypatch.setattr("executions.pipeline.drain.submit_tasks", fail)
    with pytest.raises(RuntimeError):
        drain()

    assert statuses() == {"success": 1}
    assert AgentTask.objects.get().status == "pending"
    assert not Inbox.objects.exists()
