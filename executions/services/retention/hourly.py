"""The purge as beat starts it, and what the log says of it."""

from __future__ import annotations

import logging
from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error

from common.database.errors import error_kind, is_unavailable
from executions.services.retention.purge import Purge, purge_history
from executions.services.retention.state import PurgeRuns, may_warn

logger = logging.getLogger(__name__)

MAX_SECONDS = 900.0
MAX_COUNTING_SECONDS = 60.0
HISTORY_KINDS = ("events", "bodies", "executions", "traces", "tasks", "rejections")


def purge_hourly() -> None:
    """Purge for at most 15 minutes; until the first purge may start, announce it."""
    try:
        purge = purge_history(is_hourly=True, max_seconds=MAX_SECONDS)
    except PurgeRuns:
        return
    except SoftTimeLimitExceeded:
        logger.warning("Purge: stopped by its time limit; the next hour goes on")
        return
    except Error as error:
        if not is_unavailable(error):
            raise
        logger.warning("Purge: stopped, the next hour goes on: %s", error_kind(error))
        return
    if purge.starts_at is not None:
        _announce(purge.starts_at)
    elif purge.rows:
        logger.info("Purge: deleted %s", in_words(purge))


def in_words(purge: Purge) -> str:
    """Return the counts of what was found, such as `3 events from 2026-05-01`."""
    found = [
        f"{tally.rows:,} {kind.replace('_', ' ')}"
        + (f" from {tally.oldest:%Y-%m-%d}" if tally.oldest else "")
        for kind, tally in purge.tallies.items()
        if tally.rows
    ]
    text = ", ".join(found) or "nothing"
    return text if purge.is_complete else f"at least {text}"


def _announce(starts_at: datetime) -> None:
    """Say once a day what the first purge will delete, and how to keep it."""
    if not may_warn():
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
        in_words(found),
    )
