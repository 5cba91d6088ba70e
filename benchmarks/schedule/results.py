from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from benchmarks.report import Target, as_table
from benchmarks.schedule.figures import Burst, Edit, Figure, Idle, Load, Start

# One entry, which shows that beat is ready: the cost of the program itself.
EMPTY = 1
TARGETED_BURST = 10_000
TARGETED_LOAD = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The tables; a row is a side with a number of entries."""

    start: dict[str, Start] = field(default_factory=dict)
    idle: dict[str, Idle] = field(default_factory=dict)
    edit: dict[str, Edit] = field(default_factory=dict)
    burst: dict[str, Burst] = field(default_factory=dict)
    load: dict[str, Load] = field(default_factory=dict)

    def as_tables(self) -> str:
        tables: dict[str, dict[str, Any]] = {
            "Start, until an entry that is due has fired": self.start,
            "Nothing is due": self.idle,
            "One edit, until the entry has fired": self.edit,
            "Due at one instant": self.burst,
            "Due one after the other": self.load,
        }
        return "\n\n".join(
            f"{title}:\n\n{as_table(rows)}" for title, rows in tables.items() if rows
        )


def row_name(side: str, entries: int) -> str:
    return f"{side}, {entries:,}"


def schedule_targets(results: Results, *, largest: int) -> Iterator[Target]:
    """Yield the targets of all measurements; some only for the largest size."""
    empty, most = row_name("ours", EMPTY), row_name("ours", largest)
    start, edit = results.start[most], results.edit[most]
    yield _seconds(f"Start with {largest:,} triggers", start.seconds, at_most=2.0)
    memory = edit.memory_mb / results.start[empty].memory_mb
    yield Target(
        what=f"Memory with {largest:,} triggers",
        figure=memory,
        unit="times that with one",
        at_most=1.1,
    )
    yield _seconds(f"An edit among {largest:,}", edit.seconds, at_most=1.0)
    yield _seconds("CPU of beat for that", edit.beat_cpu_seconds, at_most=0.1)
    yield from _burst_targets(results)
    yield from _load_targets(results)


def _burst_targets(results: Results) -> Iterator[Target]:
    ours = results.burst.get(row_name("ours", TARGETED_BURST))
    stock = results.burst.get(row_name("stock", TARGETED_BURST))
    if ours and stock:
        ratio = ours.fires_per_second / stock.fires_per_second
        what = f"Fires per second, {TARGETED_BURST:,} due at one instant"
        yield Target(what=what, figure=ratio, unit="times stock", at_least=20.0)


def _load_targets(results: Results) -> Iterator[Target]:
    if load := results.load.get(row_name("ours", TARGETED_LOAD)):
        what = f"p99 lateness with {TARGETED_LOAD:,} triggers"
        yield _seconds(what, load.late_p99_seconds, at_most=1.0)


def _seconds(what: str, figure: Figure, *, at_most: float) -> Target:
    seconds = inf if isinstance(figure, str) else figure
    return Target(what=what, figure=seconds, unit="s", at_most=at_most)
