"""Deletes history by age: the steps, in their order, one transaction per batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error, transaction

from common.database.errors import error_kind, is_unavailable
from common.database.sql import database_now
from executions.models import Retention
from executions.services.retention import rows
from executions.services.retention.batch import Batch, Position, Step, bound_statements
from executions.services.retention.events import (
    ExpiredEvents,
    OldBodies,
    OrphanedExecutions,
)
from executions.services.retention.rows import DeletedTriggers, OldKeys
from executions.services.retention.state import (
    Ages,
    PurgeRuns,
    claim_purge,
    claim_warning,
    first_purge_at,
    read_ages,
    read_state,
    record_purged_before,
    renew_claim,
)

logger = logging.getLogger(__name__)

KINDS = (
    "events", "deliveries", "bodies", "executions", "traces", "tasks", "rejections",
    "rejection_counts", "keys", "confirmations", "schedule_versions", "triggers",
    "sessions",
)  # fmt: skip
DAY = timedelta(hours=20)  # a late hourly run does not postpone a daily step
MAX_SECONDS = 900.0
MAX_COUNTING_SECONDS = 60.0
HISTORY_KINDS = ("events", "bodies", "executions", "traces", "tasks", "rejections")
MIN_PAUSE_SECONDS = 0.05

Pause = Callable[[float], None]


@dataclass(slots=True)
class Tally:
    """How many rows of a kind were deleted, and the age of the oldest if known."""

    kind: str
    rows: int = 0
    oldest: datetime | None = None

    def add(self, count: int, oldest: datetime | None) -> None:
        self.rows += count
        if count and oldest and (self.oldest is None or oldest < self.oldest):
            self.oldest = oldest


@dataclass(slots=True)
class Purge:
    """The rows that a purge deleted or, in a dry run, would delete.

    `starts_at` is set while the first purge of an upgraded installation waits;
    `is_complete` is False if the run ended because its time was up.
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


def pause_for(seconds: float) -> None:
    """Pause as long as a batch took: the purge runs at most half of the time."""
    time.sleep(max(MIN_PAUSE_SECONDS, seconds))


def purge_history(
    *,
    is_dry_run: bool = False,
    is_hourly: bool = False,
    is_waiting_skipped: bool = False,
    max_seconds: float | None = None,
    pause: Pause = pause_for,
) -> Purge:
    """Delete rows that are older than the settings allow, in small transactions.

    Nothing is deleted before the first purge may start. Hourly runs purge the tables
    without an index by age only once a day. A purge may be stopped at any moment: the
    next one continues. Raises PurgeRuns if another one is running.
    """
    now, state = database_now(), read_state()
    purge = Purge(is_dry_run=is_dry_run, ages=read_ages(now))
    if not is_waiting_skipped:
        purge.starts_at = first_purge_at(state, now)
    if purge.starts_at and not is_dry_run:
        return purge
    is_daily = not is_hourly or state.daily_at is None or now - state.daily_at > DAY
    steps = list(_steps(purge.ages, state, is_daily=is_daily))
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    with nullcontext() if is_dry_run else claim_purge() as claimant:
        if claimant and purge.ages.history:
            record_purged_before(purge.ages.history)
        purge.is_complete = _walk(purge, steps, claimant, deadline, pause)
        if claimant and is_daily and purge.is_complete:
            Retention.objects.filter(pk=1).update(daily_at=now)
    return purge


def _steps(ages: Ages, state: Retention, *, is_daily: bool) -> Iterator[Step]:
    """Yield the steps in an order in which a dry run counts what a purge would delete.

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
    """Run all batches of all steps; return False if the time was up before the end."""
    for step in steps:
        last: Position | None = step.first
        while last is not None:
            if deadline is not None and time.monotonic() > deadline:
                return False
            started = time.monotonic()
            with transaction.atomic():
                bound_statements()
                if claimant:
                    renew_claim(claimant)
                batch = step.batch(last, is_dry=claimant is None)
            purge.add(batch)
            if claimant and any(batch.counts.values()):
                pause(time.monotonic() - started)
            last = batch.last
    return True


def purge_hourly() -> None:
    """Purge for at most 15 minutes; until the first purge may start, announce it."""
    try:
        purge = purge_history(is_hourly=True, max_seconds=MAX_SECONDS)
    except PurgeRuns:
        return
    except SoftTimeLimitExceeded:
        logger.warning(
            "Purge: stopped by its time limit; the next hourly run continues"
        )
        return
    except Error as error:
        if not is_unavailable(error):
            raise
        logger.warning(
            "Purge: stopped, the next hourly run continues: %s", error_kind(error)
        )
        return
    if purge.starts_at is not None:
        _announce(purge.starts_at)
    elif purge.rows:
        logger.info("Purge: deleted %s", summarize(purge))


def summarize(purge: Purge) -> str:
    """Return the counts as text, such as `3 events from 2026-05-01`."""
    found = [
        f"{tally.rows:,} {kind.replace('_', ' ')}"
        + (f" from {tally.oldest:%Y-%m-%d}" if tally.oldest else "")
        for kind, tally in purge.tallies.items()
        if tally.rows
    ]
    text = ", ".join(found) or "nothing"
    return text if purge.is_complete else f"at least {text}"


def _announce(starts_at: datetime) -> None:
    """Log once a day what the first purge will delete, and how to keep it."""
    if not claim_warning():
        return
    found = purge_history(is_dry_run=True, max_seconds=MAX_COUNTING_SECONDS)
    if not any(found.tallies[kind].rows for kind in HISTORY_KINDS):
        return
    logger.warning(
        "Purge: from %s UTC on, history older than HISTORY_RETENTION_DAYS (%s) is "
        "deleted: %s. To keep it, set HISTORY_RETENTION_DAYS to a larger number of "
        "days, or to 0 to keep all. `manage.py purge_history --dry-run` counts again.",
        f"{starts_at:%Y-%m-%d %H:%M}",
        settings.HISTORY_RETENTION_DAYS,
        summarize(found),
    )
