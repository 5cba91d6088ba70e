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


def age_leases() -> None:
    """Make the leases old enough to be orphans."""
    DrainLease.objects.update(created_at=Now() - timedelta(seconds=4))


def claim_aged_lease() -> Lease:
    """The old lease of a worker that is gone."""
    lease = claim_batch()
    assert lease is not None
    age_leases()
    return lease


def another_worker(lease: Lease) -> psycopg.Connection:
    """A connection that processes a lease: it holds the lock on its row."""
    other = psycopg.connect(
        os.environ["DATABASE_URL"], dbname=connection.settings_dict["NAME"]
    )
    other.execute(
        "SELECT 1 FROM executions_drainlease WHERE id = %s FOR UPDATE", [lease.id]
    )
    return other


def deaths() -> list[int]:
    return sorted(Inbox.objects.values_list("deaths", flat=True))


def test_a_leased_event_cannot_be_claimed_again() -> None:
    record()

    claim_aged_lease()

    assert claim_batch() is None
    assert drain() == 0


def test_a_young_lease_is_not_reclaimed() -> None:
    record()
    claim_batch()

    assert reclaim_orphans() == 0


def test_a_locked_lease_is_not_reclaimed_at_any_age() -> None:
    record()
    with another_worker(claim_aged_lease()):
        assert reclaim_orphans() == 0

    assert DrainLease.objects.count() == 1


def test_the_events_of_a_killed_worker_are_processed_in_a_small_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "MAX_SUSPECTS", 2)
    make_listener()
    record(), record(), record()
    other = another_worker(claim_aged_lease())
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


def test_after_a_second_death_events_are_processed_one_by_one() -> None:
    record(), record()
    Inbox.objects.update(deaths=2)

    lease = claim_suspects()

    assert lease is not None
    assert len(lease.event_ids) == 1


def test_eight_sweeps_reclaim_a_lease_once() -> None:
    record(), record()
    claim_aged_lease()

    taken = race(reclaim_orphans)

    assert sorted(taken) == [0] * 7 + [2]
    assert deaths() == [1, 1]


def test_an_event_with_three_deaths_is_poison_and_never_evaluated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_listener(), make_listener()
    record()
    claim_aged_lease()
    reclaim_orphans()
    for _ in range(2):
        assert claim_suspects() is not None
        age_leases()
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


def test_suspects_and_batches_do_not_wait_for_each_other() -> None:
    make_listener()
    suspect = record()
    claim_aged_lease()
    reclaim_orphans()
    for _ in range(3):
        record()

    assert drain() == 4

    assert TriggerExecution.objects.filter(event_id=suspect.id).count() == 1


def test_a_slow_worker_whose_lease_was_reclaimed_writes_nothing() -> None:
    make_listener()
    record()
    slow = claim_aged_lease()
    reclaim_orphans()

    assert process_lease(slow) == 0
    assert not TriggerExecution.objects.exists()

    assert drain() == 1
    assert TriggerExecution.objects.count() == 1


def test_a_worker_killed_after_its_commit_leaves_nothing_to_repeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_listener()
    record()
    with monkeypatch.context() as killed:
        killed.setattr("executions.pipeline.leases.close_lease", lambda _: None)
        drain()
    age_leases()

    assert reclaim_orphans() == 0

    assert not DrainLease.objects.exists()
    assert drain() == 0
    assert TriggerExecution.objects.count() == 1
