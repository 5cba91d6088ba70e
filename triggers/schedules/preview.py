from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from triggers.schedules.base import DstNote, Schedule
from triggers.schedules.cron import parse_cron
from triggers.schedules.cron_fields import CronSyntaxError
from triggers.schedules.wall_clock import WallClockSchedule
from triggers.schedules.zones import load_zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One instant at which a schedule comes due, for people to look at."""

    at: datetime
    local: datetime
    note: DstNote | None


def occurrences(
    schedule: Schedule, after: datetime, until: datetime | None = None, *, limit: int
) -> list[datetime]:
    """Return at most `limit` occurrences later than `after`, up to and with `until`."""
    return list(islice(_iterate(schedule, after, until), limit))


def preview(schedule: Schedule, after: datetime, count: int = 5) -> list[Occurrence]:
    zone = load_zone(schedule.timezone)
    return [
        Occurrence(at=at, local=at.astimezone(zone), note=schedule.note_for(at))
        for at in occurrences(schedule, after, limit=count)
    ]


def next_runs(
    expression: str, count: int = 5, *, after: datetime | None = None
) -> list[datetime]:
    """Return a cron expression's next runs in UTC, from now; [] if it is not valid."""
    try:
        rule = parse_cron(expression)
    except CronSyntaxError:
        return []
    schedule = WallClockSchedule(timezone="UTC", rule=rule)
    return occurrences(schedule, after or datetime.now(UTC), limit=count)


def _iterate(
    schedule: Schedule, after: datetime, until: datetime | None
) -> Iterator[datetime]:
    found = schedule.next_after(after)
    while found is not None and (until is None or found <= until):
        yield found
        found = schedule.next_after(found)
