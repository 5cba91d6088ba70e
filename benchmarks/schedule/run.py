from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.schedule.cells import (
    measure_burst,
    measure_edits,
    measure_idle,
    measure_load,
    measure_start,
)
from benchmarks.schedule.entries import Due
from benchmarks.schedule.ours import OurSide
from benchmarks.schedule.plan import Plan
from benchmarks.schedule.redbeat import RedBeatSide
from benchmarks.schedule.results import EMPTY, Results, row_name
from benchmarks.schedule.side import Side
from benchmarks.schedule.stock import StockSide
from benchmarks.servers import celery_beat
from local.embedded import EmbeddedServers

SETTLE_SECONDS = 2.0
HOUR = timedelta(hours=1)


def measure_schedule(servers: EmbeddedServers, plan: Plan) -> Results:
    results = Results()
    for side, entries in _rows(plan):
        _Row(side=side, entries=entries, plan=plan, results=results).measure(servers)
    return results


def _rows(plan: Plan) -> Iterator[tuple[Side, int]]:
    for entries in (EMPTY, *plan.sizes):
        yield from ((side, entries) for side in (StockSide(), RedBeatSide(), OurSide()))
    yield from ((OurSide(), entries) for entries in plan.own_sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    side: Side
    entries: int
    plan: Plan
    results: Results

    def measure(self, servers: EmbeddedServers) -> None:
        self._log("fill")
        filling = _seconds(lambda: self.side.fill(self.entries))
        at_once = Due(count=1, at=datetime.now(UTC), every=HOUR)
        preparing = _seconds(lambda: self._prepare(at_once))
        starting = self._measure_idle_and_edits(servers)
        if self.entries != EMPTY:
            # Twice the time of the previous start, so that beat is ready in time.
            ready = 2 * (preparing + starting) + 3
            self._measure_burst(timedelta(seconds=ready))
            self._measure_load(timedelta(seconds=ready + filling))

    def _measure_idle_and_edits(self, servers: EmbeddedServers) -> float:
        """Measure a beat without due entries, but with edits; return its start time."""
        self._log("start, idle, edits")
        spawned = time.perf_counter()
        with celery_beat(self.side.scheduler) as pid:
            self.results.start[self.name] = measure_start(self.side, pid, spawned)
            starting = time.perf_counter() - spawned
            if self.entries != EMPTY:
                time.sleep(SETTLE_SECONDS)
                idle = measure_idle(pid, servers, self.plan.idle_seconds)
                edit = measure_edits(self.side, pid, self.plan.edits)
                self.results.idle[self.name] = idle
                self.results.edit[self.name] = edit
        return starting

    def _measure_burst(self, lead: timedelta) -> None:
        self._log("many due at one instant")
        count = min(self.entries, self.plan.most_due)
        due = Due(count=count, at=datetime.now(UTC) + lead, every=HOUR)
        self._prepare(due)
        self.results.burst[self.name] = measure_burst(self.side, due)

    def _measure_load(self, lead: timedelta) -> None:
        self._log("due one after the other")
        every = timedelta(seconds=max(1, self.entries // self.plan.due_per_second))
        due = Due(
            count=self.entries,
            at=datetime.now(UTC) + lead,
            every=every,
            apart=every / self.entries,
        )
        self._prepare(due)
        seconds = self.plan.load_seconds
        self.results.load[self.name] = measure_load(self.side, due, seconds)

    def _prepare(self, due: Due) -> None:
        self.side.make_due(due)
        self.side.reset_fired()

    @property
    def name(self) -> str:
        return row_name(self.side.name, self.entries)

    def _log(self, what: str) -> None:
        print(f"{self.name}: {what}", file=sys.stderr)


def _seconds(act: Callable[[], None]) -> float:
    since = time.perf_counter()
    act()
    return time.perf_counter() - since
