"""Runs the purge: which steps, in which order, in transactions of one batch each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from common.database.sql import database_now
from executions.models import Retention
from executions.services.retention import rows
from executions.services.retention.ages import Ages, read_ages
from executions.services.retention.batch import Batch, Position, Step, bound_statements
from executions.services.retention.bodies import OldBodies
from executions.services.retention.events import ExpiredEvents, OrphanedExecutions
from executions.services.retention.keys import OldKeys
from executions.services.retention.state import (
    claimed,
    note_purged_before,
    read_state,
    renew,
    waits_until,
)
from executions.services.retention.triggers import DeletedTriggers

KINDS = (
    "events", "deliveries", "bodies", "executions", "traces", "tasks", "rejections",
    "rejection_counts", "keys", "confirmations", "schedule_versions", "triggers",
    "sessions",
)  # fmt: skip
DAY = timedelta(hours=20)  # a daily step is not put off by an hourly run that is late
MIN_PAUSE_SECONDS = 0.05

Pause = Callable[[float], None]


@dataclass(slots=True)
class Tally:
    """How many rows of a kind were deleted; the age of the oldest where it is known."""

    kind: str
    rows: int = 0
    oldest: datetime | None = None

    def add(self, count: int, oldest: datetime | None) -> None:
        self.rows += count
        if count and oldest and (self.oldest is None or oldest < self.oldest):
            self.oldest = oldest


@dataclass(slots=True)
class Purge:
    """What a purge deleted, or, as a dry run, would delete.

    `starts_at` is set while the first purge of an upgraded installation waits;
    `is_complete` is False where the time for a run was over.
    """

    is_dry_run: bool
    ages: Ages
    starts_at: datetime | None = None
    is_complete: bool = True
    tallies: dict[str, Tally] = field(
        default_factory=lambda: {kind: Tally(kind) for kind in KINDS}
    )

    @property
    def rows(self) -> int:
        return sum(t.rows for t in self.tallies.values() if t.kind != "deliveries")

    def add(self, batch: Batch) -> None:
        for kind, count in batch.counts.items():
            self.tallies[kind].add(count, batch.oldest)
            if kind == "rejections":  # deliveries are a view over both
                self.tallies["deliveries"].add(count, batch.oldest)


def rest(seconds: float) -> None:
    """Pause as long as a batch took: at most half of the time goes to the purge."""
    time.sleep(max(MIN_PAUSE_SECONDS, seconds))


def purge_history(
    *,
    is_dry_run: bool = False,
    is_hourly: bool = False,
    is_waiting_skipped: bool = False,
    max_seconds: float | None = None,
    pause: Pause = rest,
) -> Purge:
    """Delete what is older than the settings say, in small transactions.

    Nothing is deleted before the first purge may start. An hourly run leaves out the
    tables that have no index by age, except once a day. May be stopped at any moment:
    the next run goes on. Raises PurgeRuns if another one runs.
    """
    now, state = database_now(), read_state()
    purge = Purge(is_dry_run=is_dry_run, ages=read_ages(now))
    if not is_waiting_skipped:
        purge.starts_at = waits_until(state, now)
    if purge.starts_at and not is_dry_run:
        return purge
    is_daily = not is_hourly or _was_a_day_ago(state, now)
    steps = list(_steps(purge.ages, state, is_daily=is_daily))
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    with nullcontext() if is_dry_run else claimed() as claimant:
        if claimant and purge.ages.history:
            note_purged_before(purge.ages.history)
        purge.is_complete = _walk(purge, steps, claimant, deadline, pause)
        if claimant and is_daily and purge.is_complete:
            Retention.objects.filter(pk=1).update(daily_at=now)
    return purge


def _steps(ages: Ages, state: Retention, *, is_daily: bool) -> Iterator[Step]:
    """Yield the steps; each counts in a dry run what it would delete after the others.

    So deleted triggers come before the executions that keep them.
    """
    if is_daily:
        yield rows.expired_sessions(ages.now)
        if ages.history:
            yield rows.old_schedule_versions(ages.history)
            yield DeletedTriggers(ages.history)
            yield rows.old_confirmations(ages.history)
        if ages.rejections:
            yield rows.old_rejection_counts(ages.rejections)
        if ages.keys:
            yield OldKeys(ages.keys)
    if ages.traces:
        yield rows.old_traces(ages.traces, ages)
    if ages.history:
        yield ExpiredEvents(ages)
        yield OrphanedExecutions(ages)
        yield rows.orphaned_tasks(ages.history, ages)
    if ages.bodies:
        yield OldBodies(ages.bodies, ages, state)
    if ages.rejections:
        yield rows.old_rejections(ages.rejections)


def _walk(
    purge: Purge,
    steps: Sequence[Step],
    claimant: UUID | None,
    deadline: float | None,
    pause: Pause,
) -> bool:
    """Run all batches of all steps; return False if the time was over before."""
    for step in steps:
        last: Position | None = step.first
        while last is not None:
            if deadline is not None and time.monotonic() > deadline:
                return False
            started = time.monotonic()
            batch = _run(step, last, claimant)
            purge.add(batch)
            if claimant and any(batch.counts.values()):
                pause(time.monotonic() - started)
            last = batch.last
    return True


def _run(step: Step, last: Position, claimant: UUID | None) -> Batch:
    with transaction.atomic():
        bound_statements()
        if claimant:
            renew(claimant)
        return step.batch(last, is_dry=claimant is None)


def _was_a_day_ago(state: Retention, now: datetime) -> bool:
    return state.daily_at is None or now - state.daily_at > DAY
