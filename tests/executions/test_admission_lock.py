from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection, transaction

from agents.models import AgentTask
from common.ids import uuid7
from executions.pipeline.admit import LOCKS, lock_admission
from tests.executions.flow import deliver_event
from tests.factories import make_listener

pytestmark = pytest.mark.django_db(transaction=True)


def count_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return int(cursor.fetchone()[0])


def test_more_triggers_can_be_locked_than_the_server_has_locks() -> None:
    with transaction.atomic():
        lock_admission(uuid7() for _ in range(30_000))

        assert count_locks() == LOCKS


def test_locking_a_trigger_twice_is_no_error() -> None:
    trigger_id = uuid7()

    with transaction.atomic():
        lock_admission([trigger_id, trigger_id])

        assert count_locks() == 1


def test_tasks_that_were_open_before_make_their_triggers_busy() -> None:
    trigger = make_listener(overlap="skip")
    deliver_event(trigger)
    AgentTask.objects.update(concurrency_key=None)
    fill = import_module("executions.migrations.0005_keys_of_open_tasks").FILL

    with connection.cursor() as cursor:
        cursor.execute(fill)

    assert AgentTask.objects.get().concurrency_key == trigger.id
