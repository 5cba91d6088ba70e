"""Schedules that come due at an offset change, and their expected instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from tests.chaos.scale import IS_LONG
from tests.triggers.clock_changes import ClockChange, changes_by_year
from tests.triggers.cron_oracle import due_instants
from tests.triggers.schedule_builders import ClockOptions, build
from triggers.schedules import Schedule, occurrences

AROUND = timedelta(hours=2)
OPTIONS: list[ClockOptions] = [
    {"dst_gap": gap, "dst_overlap": overlap}
    for gap, overlap in product(("after", "skip"), ("first", "second", "both"))
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A schedule at an offset change, and the equivalent cron expression."""

    timezone: str
    change: ClockChange
    expression: str
    options: ClockOptions
    schedule: Schedule

    @property
    def start(self) -> datetime:
        return self.change.at - self.change.size - AROUND

    @property
    def end(self) -> datetime:
        return self.change.at + self.change.size + AROUND

    def search(self) -> list[datetime]:
        return occurrences(self.schedule, self.start, self.end, limit=10_000)

    def walk(self) -> dict[datetime, str | None]:
        return due_instants(
            self.expression,
            self.timezone,
            self.start,
            self.end,
            **self.options,
            margin=self.change.size,
        )


def trials(year: int) -> Iterator[Trial]:
    """Yield the trials of a year's changes.

    The settings for gaps and overlaps alternate. In the short form the schedules do,
    too, so each change is tested with every third schedule.
    """
    for number, (timezone, change) in enumerate(changes_by_year()[year]):
        schedules = list(enumerate(schedules_hitting(change)))
        for index, (kind, config, expression) in (
            schedules if IS_LONG else schedules[number % 3 :: 3]
        ):
            options = OPTIONS[(number // 3 + index) % len(OPTIONS)]
            yield Trial(
                timezone=timezone,
                change=change,
                expression=expression,
                options=options,
                schedule=build(kind, config, timezone=timezone, **options),
            )


def schedules_hitting(
    change: ClockChange,
) -> Iterator[tuple[str, dict[str, object], str]]:
    """Yield a schedule type, its config and the equivalent cron expression."""
    middle = change.wall_start + change.size / 2
    clock, weekday = f"{middle:%H:%M}", middle.weekday()
    at = f"{middle:%-M %-H}"
    for expression in (*fixed_expressions(change), *elapsed_expressions(change)):
        yield "cron", {"cron": expression}, expression
    yield "daily", {"time": f"{clock}:20"}, f"20 {at} * * *"
    yield "weekly", {"day": weekday, "time": clock}, f"{at} * * {weekday + 1}"


def fixed_expressions(change: ClockChange) -> list[str]:
    first, end = change.wall_start, change.wall_end
    last, middle = end - timedelta(minutes=1), first + change.size / 2
    nth = (middle.day + 6) // 7
    return [
        f"{first:%-M %-H} * * *",
        f"{middle:%-M %-H %-d %-m} *",
        f"{last:%-M %-H} * * {last:%a}",
        f"{end:%-M %-H} {end.day} * {end:%a}",
        f"{middle:%-M %-H} * * {middle:%a}#{nth}",
        f"{first.minute},{middle.minute} {first.hour},{end.hour} {last:%-d} * *",
        "0-59/20 0-23 * * *",
        f"30 0 0-23 * {middle:%b} *",
        f"15,45 {middle:%-M %-H} L,{middle:%-d} * *",
    ]


def elapsed_expressions(change: ClockChange) -> list[str]:
    first, end = change.wall_start, change.wall_end
    middle = first + change.size / 2
    return [
        "*/7 * * * *",
        f"{middle.minute} * * * {middle:%a}",
        f"*/15 {first.hour},{end.hour} * * *",
        f"*/20 */2 {middle:%-d} {middle:%-m} *",
        f"*/30 {first.minute},{middle.minute} * * * *",
    ]
