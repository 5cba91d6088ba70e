from __future__ import annotations

import os
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from events.models import Inbox
from executions.models import DrainLease, TriggerExecution
from executions.pipeline import leases
from executions.pipeline.drain import drain, process_lease
from executions.pipeline.leases import (
    Lease,
    claim_batch,
    claim_poison,
    claim_suspects,
    reclaim_orphans,
)
from tests.factories import make_listener, record
from tests.races import race

pytestmark = pytest.mark.django_db(transaction=True)


def grow_old() -> None:
    """Let the leases be older than the time after which they may be orphans."""
    DrainLease.objects.update(created_at=Now() - timedelta(seconds=4))


def claimed() -> Lease:
    """A batch in the hands of a worker that never comes back."""
    lease = claim_batch()
    assert lease is not None
    grow_old()
    return lease


def another_worker(lease: Lease) -> psycopg.Connection:
    """A connection that works a lease: it holds the lock on its row."""
    other = psycopg.connect(
        os.environ["DATABASE_URL"], dbname=connection.settings_dict["NAME"]
    )
    other.execute(
        "SELECT 1 FROM executions_drainlease WHERE id = %s FOR UPDATE", [lease.id]
    )
    return other


def deaths() -> list[int]:
    return sorted(Inbox.objects.values_list("deaths", flat=True))


def test_a_leased_event_is_nobody_elses() -> None:
    record()

    claimed()

    assert claim_batch() is None
    assert drain() == 0


def test_a_young_lease_is_left_alone() -> None:
    record()
    claim_batch()

    assert reclaim_orphans() == 0


def test_a_lease_that_is_worked_is_left_alone_however_old() -> None:
    record()
    with another_worker(claimed()):
        assert reclaim_orphans() == 0

    assert DrainLease.objects.count() == 1


def test_a_killed_workers_events_are_worked_in_a_small_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "MAX_SUSPECTS", 2)
    make_listener()
    record(), record(), record()
    other = another_worker(claimed())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [other.info.backend_pid]
        )
    other.close()

    assert reclaim_orphans() == 3

    assert deaths() == [1, 1, 1]
    suspects = claim_suspects()
    assert suspects is not None
    assert len(suspects.event_ids) == 2
    assert claim_batch() is None
    process_lease(suspects)
    assert drain() == 1
    assert TriggerExecution.objects.filter(status="success").count() == 3
    assert not DrainLease.objects.exists()


def test_after_a_second_death_an_event_is_worked_alone() -> None:
    record(), record()
    Inbox.objects.update(deaths=2)

    alone = claim_suspects()

    assert alone is not None
    assert len(alone.event_ids) == 1


def test_eight_sweeps_take_a_lease_back_once() -> None:
    record(), record()
    claimed()

    taken = race(reclaim_orphans)

    assert sorted(taken) == [0] * 7 + [2]
    assert deaths() == [1, 1]


def test_an_event_at_three_deaths_is_poison_and_never_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_listener(), make_listener()
    record()
    claimed()
    reclaim_orphans()
    for _ in range(2):
        assert claim_suspects() is not None
        grow_old()
        reclaim_orphans()
    assert deaths() == [3]
    monkeypatch.setattr("executions.pipeline.evaluate.evaluate_pair", pytest.fail)

    assert drain() == 1

    found = TriggerExecution.objects.values_list("status", "reason", "error_message")
    assert set(found) == {
        ("failed", "poison", "A worker died three times while it processed this event")
    }
    assert found.count() == 2
    assert not Inbox.objects.exists()
    assert claim_poison() is None


def test_a_suspect_waits_for_no_batch_and_no_batch_for_it() -> None:
    make_listener()
    suspect = record()
    claimed()
    reclaim_orphans()
    for _ in range(3):
        record()

    assert drain() == 4

    assert TriggerExecution.objects.filter(event_id=suspect.id).count() == 1


def test_a_slow_worker_whose_lease_was_taken_back_writes_nothing() -> None:
    make_listener()
    record()
    slow = claimed()
    reclaim_orphans()

    assert process_lease(slow) == 0
    assert not TriggerExecution.objects.exists()

    assert drain() == 1
    assert TriggerExecution.objects.count() == 1


def test_a_worker_killed_after_its_commit_leaves_nothing_to_redo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_listener()
    record()
    with monkeypatch.context() as killed:
        killed.setattr("executions.pipeline.leases.close_lease", lambda _: None)
        drain()
    grow_old()

    assert reclaim_orphans() == 0

    assert not DrainLease.objects.exists()
    assert drain() == 0
    assert TriggerExecution.objects.count() == 1
