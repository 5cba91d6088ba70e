from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from random import Random
from uuid import UUID

import pytest
from django.db import connection, transaction

from events.models import Inbox
from events.services.record import record_events
from executions.models import DrainLease
from executions.pipeline import leases
from executions.pipeline.drain import drain
from executions.pipeline.leases import (
    ClaimFloor,
    claim_batch,
    close_lease,
    current_floor,
)
from tests.factories import new_event, record
from tests.races import race_all

pytestmark = pytest.mark.django_db(transaction=True)

COMMITTERS = 12
CLAIMERS = 4
TRANSACTIONS = 40
DEADLINE_SECONDS = 60.0


class Claims:
    """Counts claims, so that a transaction can stay open during several of them."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.count = 0
        self.open_committers = COMMITTERS
        self.done: list[UUID] = []
        self.made: list[UUID] = []

    def claimed(self) -> None:
        with self.changed:
            self.count += 1
            self.changed.notify_all()

    def committed_all(self) -> None:
        with self.changed:
            self.open_committers -= 1

    def wait_for(self, more: int) -> None:
        with self.changed:
            wanted = self.count + more
            assert self.changed.wait_for(lambda: self.count >= wanted, DEADLINE_SECONDS)


def commit_late(claims: Claims, chance: Random) -> None:
    """Record events in transactions that commit, or roll back, after some claims."""
    for _ in range(TRANSACTIONS):
        with transaction.atomic():
            recorded = record_events([new_event() for _ in range(chance.randint(1, 5))])
            claims.wait_for(chance.choice([0, 0, 1, 3, 9]))
            if chance.random() < 0.1:
                transaction.set_rollback(True)
                recorded = set()
        claims.made += recorded
    claims.committed_all()


def claim_all(claims: Claims, chance: Random) -> None:
    """Claim until no more events are recorded; close some leases unprocessed."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while claims.open_committers or Inbox.objects.exists():
        assert time.monotonic() < deadline, "events stay in the inbox"
        lease = claim_batch()
        claims.claimed()
        if lease is None:
            continue
        if chance.random() > 0.15:
            with transaction.atomic():
                leases.lock_lease(lease.id)
                Inbox.objects.filter(pk__in=lease.event_ids).delete()
                claims.done += lease.event_ids
        close_lease(lease.id)


def test_late_commits_and_returned_leases_neither_lose_nor_repeat_an_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "MAX_EVENTS", 9)
    claims = Claims()
    kinds = [commit_late] * COMMITTERS + [claim_all] * CLAIMERS
    acts: list[Callable[[], None]] = [
        partial(kind, claims, Random(number))  # noqa: S311 - no secret
        for number, kind in enumerate(kinds)
    ]

    race_all(acts)

    assert len(claims.made) > COMMITTERS * TRANSACTIONS
    assert sorted(claims.done) == sorted(claims.made)
    assert not DrainLease.objects.exists()


def test_a_transaction_that_was_running_is_late_and_its_events_are_claimed() -> None:
    started, passed = threading.Event(), threading.Event()
    event = new_event()

    def commit() -> None:
        with transaction.atomic():
            record_events([event])
            started.set()
            assert passed.wait(DEADLINE_SECONDS)

    def claim() -> list[UUID]:
        assert started.wait(DEADLINE_SECONDS)
        assert claim_batch() is None
        record()
        assert claim_batch() is not None
        assert len(current_floor().late) == 1
        passed.set()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (lease := claim_batch()) is None:
            assert time.monotonic() < deadline
        return lease.event_ids

    assert race_all([commit, claim])[1] == [event.id]


def test_a_claim_starts_where_the_last_one_found_nothing_below() -> None:
    claim_batch()
    start = current_floor()
    record()
    drain()

    assert int(current_floor().floor) > int(start.floor) > 0


def test_a_leased_event_holds_the_floor() -> None:
    record()
    lease = claim_batch()
    assert lease is not None
    held = current_floor()
    record()
    claim_batch()

    assert current_floor().floor == held.floor
    assert int(held.floor) == int(Inbox.objects.get(pk=lease.event_ids[0]).txid)


def test_open_leases_hold_their_floor_and_no_event_is_claimed_twice() -> None:
    first, second = record(), record()
    held = claim_batch()
    assert held is not None
    row = DrainLease.objects.get(pk=held.id)
    assert claim_batch() is None
    assert current_floor().leases == row.txid

    close_lease(held.id)
    again = claim_batch()
    assert claim_batch() is None

    assert again is not None
    assert again.event_ids == held.event_ids == [first.id, second.id]
    assert int(current_floor().leases) > int(str(row.txid))


def test_a_new_connection_reads_the_whole_inbox() -> None:
    claim_batch()
    assert current_floor() != ClaimFloor()

    connection.close()

    assert current_floor() == ClaimFloor()


def test_after_a_minute_the_whole_inbox_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim_batch()
    monkeypatch.setattr(leases, "FORGET_AFTER_SECONDS", -1.0)

    assert current_floor() == ClaimFloor()


def test_a_claim_that_fails_keeps_the_floor_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim_batch()
    before = current_floor()
    event = record()
    monkeypatch.setattr(leases, "worker_name", lambda: "w" * 256)
    with pytest.raises(Exception, match="value too long"):
        claim_batch()
    monkeypatch.undo()

    assert current_floor() == before
    lease = claim_batch()
    assert lease is not None
    assert lease.event_ids == [event.id]


def test_a_claim_inside_of_a_transaction_that_is_rolled_back_loses_nothing() -> None:
    event = record()
    with transaction.atomic():
        assert drain() == 1
        claim_batch()
        transaction.set_rollback(True)

    lease = claim_batch()

    assert lease is not None
    assert lease.event_ids == [event.id]
