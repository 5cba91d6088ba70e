"""The scheduler class for `celery beat`; any number of beats can run at once.

A ticker, which is a thread, claims the triggers. The other periodic tasks work as in
Celery, but only the beat that updates a row's `last_run_at` first sends its task.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

from celery import Celery
from django.db import Error, connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from common.database.errors import drop_connection, error_kind
from triggers.clocks.mirror import AFTER_MIRRORS, HEARTBEAT_NAME, MIRROR_PREFIX
from triggers.clocks.ticker import Ticker

logger = logging.getLogger(__name__)

# `~<~` compares bytes and uses the index for LIKE; other collations order differently.
_NO_MIRRORS = (
    f'SELECT id FROM "{PeriodicTask._meta.db_table}" '  # noqa: S608 - a table of ours
    "WHERE name ~<~ %s OR name ~>=~ %s"
)
_STATE = ("last_run_at", "total_run_count", "enabled")
_TAKE_TURN = f"""
UPDATE "{PeriodicTask._meta.db_table}" SET last_run_at = statement_timestamp(),
    total_run_count = total_run_count + 1
WHERE id = %s AND enabled AND last_run_at IS NOT DISTINCT FROM %s::timestamptz
RETURNING last_run_at, total_run_count, enabled
"""  # noqa: S608 - a table of ours
RETRY_SECONDS = 1.0


class ClaimedEntry(ModelEntry):  # type: ignore[misc]  # is untyped
    """A periodic task; the beat that claims its turn sends it."""

    def __init__(self, model: PeriodicTask, app: Celery | None = None) -> None:
        self.stored_last_run_at: datetime | None = model.last_run_at
        self.is_claimed = False
        super().__init__(model, app=app)

    def take_turn(self) -> ClaimedEntry:
        """Claim this turn by a conditional UPDATE; return the entry of the next turn.

        If another beat claimed the turn, the entry gets the state that it stored.
        """
        self.is_claimed = False
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_TURN, [self.model.pk, self.stored_last_run_at])
            row = cursor.fetchone()
        self.is_claimed = row is not None
        if row is None:
            stored = PeriodicTask.objects.filter(pk=self.model.pk)
            deleted = (self.model.last_run_at, self.model.total_run_count, False)
            row = stored.values_list(*_STATE).first() or deleted
        for name, value in zip(_STATE, row, strict=True):
            setattr(self.model, name, value)
        return type(self)(self.model, app=self.app)


class TickhookScheduler(DatabaseScheduler):  # type: ignore[misc]  # is untyped
    """Runs Celery beat's periodic tasks from the database, and the clock of triggers.

    Its start takes the same time for any number of triggers, as it does not load their
    mirrors.
    """

    Entry = ClaimedEntry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ticker = Ticker()
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        self._ticker.start()
        super().setup_schedule()

    def close(self) -> None:
        self._ticker.stop()
        super().close()

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        others = RawSQL(_NO_MIRRORS, [MIRROR_PREFIX, AFTER_MIRRORS])  # noqa: S611
        entries: QuerySet[PeriodicTask] = super().enabled_models_qs()
        return entries.filter(pk__in=others).exclude(name=HEARTBEAT_NAME)

    def all_as_schedule(self) -> dict[str, ClaimedEntry]:
        """Read the schedule; while the database is unavailable, keep the last one."""
        try:
            entries: dict[str, ClaimedEntry] = super().all_as_schedule()
        except Error as error:
            if self._schedule is None:
                raise
            logger.warning("Beat: the database failed: %s", error_kind(error))
            drop_connection()
            entries = self._schedule
        return entries

    def _get_crontab_exclude_query(self) -> Q:
        """Exclude no entry by its hour: else those due while beat was down are lost."""
        return Q()

    def reserve(self, entry: ClaimedEntry) -> ClaimedEntry:
        """Claim an entry's turn; while the database is unavailable it stays due."""
        try:
            return entry.take_turn()
        except Error as error:
            logger.warning("Beat: the database failed: %s", error_kind(error))
            drop_connection()
            self._heap_invalidated = True
            time.sleep(RETRY_SECONDS)
            return entry

    def apply_entry(self, entry: ClaimedEntry, producer: Any = None) -> None:
        if entry.is_claimed:
            super().apply_entry(entry, producer=producer)
