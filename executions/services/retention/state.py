"""The state of the purge: its claim, its first start, and which rows are old."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.db.models import Max, Q
from django.db.models.functions import Greatest, Now

from common.errors import Conflict
from common.ids import uuid7
from executions.models import Retention
from triggers.models import Trigger

logger = logging.getLogger(__name__)

GRACE = timedelta(days=7)
WARN_EVERY = timedelta(days=1)
# Longer than the statements of one batch may take: a running purge keeps its claim.
CLAIM_LASTS = timedelta(seconds=90)
# A ledger that is read while the purge runs still finds the events of its range. And
# ids come from the clocks of hosts, which may differ from the database's clock.
MARGIN = timedelta(minutes=10)


class PurgeRuns(Conflict):
    """Another purge of this installation is running; wait until it has ended."""

    code = "purge_runs"


def read_state() -> Retention:
    return Retention.objects.filter(pk=1).first() or Retention()


def first_purge_at(state: Retention, now: datetime) -> datetime | None:
    """Return when the first purge may start; None if it may start now.

    An installation that had history at its upgrade to this version waits for a week,
    so that its operator reads the log before anything is deleted.
    """
    if state.upgraded_at is None:
        return None
    until = state.upgraded_at + GRACE
    return until if now < until else None


def history_horizon(now: datetime) -> datetime | None:
    """Return since when all events are stored; None if no event was ever deleted."""
    state, days = read_state(), settings.HISTORY_RETENTION_DAYS
    if days is None or first_purge_at(state, now):
        return state.purged_before
    limit = now - timedelta(days=days)
    return max(limit, state.purged_before or limit)


@contextmanager
def claim_purge() -> Iterator[UUID]:
    """Claim the purge for the block; raise PurgeRuns if another process has it.

    The claim of a killed process expires.
    """
    claimant = uuid7()
    Retention.objects.bulk_create([Retention()], ignore_conflicts=True)
    free = Q(claimed_until=None) | Q(claimed_until__lt=Now())
    if not Retention.objects.filter(free, pk=1).update(
        claimed_by=claimant, claimed_until=Now() + CLAIM_LASTS
    ):
        raise PurgeRuns
    try:
        yield claimant
    finally:
        _release(claimant)


def renew_claim(claimant: UUID) -> None:
    """Extend the claim for one batch; raise PurgeRuns if another process has it."""
    held = Retention.objects.filter(pk=1, claimed_by=claimant)
    if not held.update(claimed_until=Now() + CLAIM_LASTS):
        raise PurgeRuns


def record_purged_before(moment: datetime) -> None:
    """Record that events before a moment may be deleted from now on."""
    later = Greatest("purged_before", moment)  # ignores NULL
    Retention.objects.filter(pk=1).update(purged_before=later)


def claim_warning() -> bool:
    """Return whether the caller may log the warning: once a day."""
    is_due = Q(warned_at=None) | Q(warned_at__lt=Now() - WARN_EVERY)
    return bool(Retention.objects.filter(is_due, pk=1).update(warned_at=Now()))


def _release(claimant: UUID) -> None:
    try:
        held = Retention.objects.filter(pk=1, claimed_by=claimant)
        held.update(claimed_by=None, claimed_until=None)
    except Error as error:
        logger.warning(
            "Purge: the claim was not released and will expire: %s",
            type(error).__name__,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """The moment before which rows of each kind are deleted; None if they are kept."""

    now: datetime
    history: datetime | None
    bodies: datetime | None
    traces: datetime | None
    rejections: datetime | None
    keys: datetime | None


def read_ages(now: datetime) -> Ages:
    return Ages(
        now=now,
        history=_before(now, settings.HISTORY_RETENTION_DAYS),
        bodies=_before(now, settings.EVENT_BODY_RETENTION_DAYS),
        traces=_before(now, settings.TRACE_RETENTION_DAYS),
        rejections=_before(now, settings.REJECTION_RETENTION_DAYS),
        keys=_keys_before(now),
    )


def _before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days) - MARGIN


def _keys_before(now: datetime) -> datetime | None:
    """Return before when keys are deleted; a clock that catches up needs later ones."""
    before = _before(now, settings.TICKHOOK_KEY_RETENTION_DAYS)
    longest = Trigger.objects.aggregate(most=Max("catchup_window_seconds"))["most"]
    if before is None or longest is None:
        return before
    try:
        return min(before, now - timedelta(seconds=longest) - MARGIN)
    except OverflowError:  # the window starts before the year 1
        return None
