"""The one row of the purge: who runs it, when it may start, how far it came."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.db.models import Q
from django.db.models.functions import Greatest, Now

from common.errors import Conflict
from common.ids import uuid7
from executions.models import Retention

logger = logging.getLogger(__name__)

GRACE = timedelta(days=7)
WARN_EVERY = timedelta(days=1)
# Longer than the statements of one batch may take: a purge that lives keeps its claim.
LEASE = timedelta(seconds=90)


class PurgeRuns(Conflict):
    """Another purge of this installation is running; it does the same work."""

    code = "purge_runs"


def read_state() -> Retention:
    return Retention.objects.filter(pk=1).first() or Retention()


def waits_until(state: Retention, now: datetime) -> datetime | None:
    """Return when the first purge starts; None if it may start now.

    An installation that had history at its upgrade to this version waits for a week,
    so that its operator reads the log before anything is deleted.
    """
    if state.upgraded_at is None:
        return None
    until = state.upgraded_at + GRACE
    return until if now < until else None


def history_horizon(now: datetime) -> datetime | None:
    """Return the moment since which all events are stored; None if all ever were."""
    state, days = read_state(), settings.HISTORY_RETENTION_DAYS
    if days is None or waits_until(state, now):
        return state.purged_before
    limit = now - timedelta(days=days)
    return max(limit, state.purged_before or limit)


@contextmanager
def claimed() -> Iterator[UUID]:
    """Claim the purge of this installation for the block; raise PurgeRuns.

    The claim of a process that was killed expires.
    """
    claimant = uuid7()
    Retention.objects.bulk_create([Retention()], ignore_conflicts=True)
    free = Q(claimed_until=None) | Q(claimed_until__lt=Now())
    if not Retention.objects.filter(free, pk=1).update(
        claimed_by=claimant, claimed_until=Now() + LEASE
    ):
        raise PurgeRuns
    try:
        yield claimant
    finally:
        _release(claimant)


def renew(claimant: UUID) -> None:
    """Keep the claim during one batch; raise PurgeRuns if another purge has it."""
    held = Retention.objects.filter(pk=1, claimed_by=claimant)
    if not held.update(claimed_until=Now() + LEASE):
        raise PurgeRuns


def note_purged_before(moment: datetime) -> None:
    """Note that events before a moment may be deleted from now on."""
    later = Greatest("purged_before", moment)  # ignores NULL
    Retention.objects.filter(pk=1).update(purged_before=later)


def may_warn() -> bool:
    """Return True to one caller a day."""
    is_due = Q(warned_at=None) | Q(warned_at__lt=Now() - WARN_EVERY)
    return bool(Retention.objects.filter(is_due, pk=1).update(warned_at=Now()))


def _release(claimant: UUID) -> None:
    try:
        held = Retention.objects.filter(pk=1, claimed_by=claimant)
        held.update(claimed_by=None, claimed_until=None)
    except Error as error:
        logger.warning("Purge: its claim expires: %s", type(error).__name__)
