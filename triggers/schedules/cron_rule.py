from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from croniter import croniter

from triggers.schedules.presets import describe_cron

# From here on every weekday has its 29 February before croniter gives up (50 years).
ANY_TIME = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall time has no zone


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRule:
    """The wall times of a cron expression.

    `searches` are six-field expressions in plain numbers, which mean the same to
    croniter as to Debian's cron; a wall time is due if it matches one of them.
    """

    expression: str
    searches: tuple[str, ...]
    follows_elapsed_time: bool

    def next_wall(self, after: datetime) -> datetime | None:
        walls = (_next_match(search, after) for search in self.searches)
        return min((wall for wall in walls if wall is not None), default=None)

    def describe(self) -> str:
        return describe_cron(self.expression)


def has_match(search: str) -> bool:
    """Tell whether the calendar has a date for this six-field expression."""
    return _next_match(search, ANY_TIME) is not None


def _next_match(search: str, after: datetime) -> datetime | None:
    # croniter keeps its position in the object: a copy keeps the shared one clean.
    try:
        return copy(_croniter(search)).get_next(datetime, start_time=after)
    except (ValueError, OverflowError):  # not within 50 years, or before the year 10000
        return None


@lru_cache(maxsize=4096)
def _croniter(search: str) -> croniter[datetime]:
    return croniter(search, ANY_TIME, datetime, day_or=False, second_at_beginning=True)
