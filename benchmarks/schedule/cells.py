"""Measurements of one side with a number of entries, each from outside its beat."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

from benchmarks.schedule.entries import Due
from benchmarks.schedule.figures import (
    CUT_SECONDS,
    UNKNOWN,
    Burst,
    Edit,
    Idle,
    Load,
    Start,
    cut,
)
from benchmarks.schedule.side import Side
from benchmarks.servers import ProgramFailed, celery_beat
from benchmarks.usage import resident_mb, tree_cpu_seconds
from local.embedded import EmbeddedServers
from local.embedded.process import wait_until

# The longest time to wait for the start of a beat.
PATIENCE_SECONDS = 300
# The baselines look for edits every 5 seconds, and last did so when the previous edit
# fired. A pause of half of that gives the average time.
EDIT_PAUSE_SECONDS = 2.5


def measure_start(side: Side, pid: int, spawned: float) -> Start:
    """Measure a beat that has just been spawned, with one due entry."""
    if not wait_until(lambda: side.fired() > 0, timeout_seconds=PATIENCE_SECONDS):
        raise ProgramFailed(f"{side.name} fired nothing in {PATIENCE_SECONDS} s")
    return Start(
        seconds=cut(time.perf_counter() - spawned),
        cpu_seconds=tree_cpu_seconds(pid),
        memory_mb=resident_mb(pid),
    )


def measure_idle(pid: int, servers: EmbeddedServers, seconds: float) -> Idle:
    watched = (pid, servers.postgres.process.pid, servers.valkey.process.pid)
    before, since = [tree_cpu_seconds(w) for w in watched], time.perf_counter()
    time.sleep(seconds)
    after, taken = [tree_cpu_seconds(w) for w in watched], time.perf_counter() - since
    percent = [100 * (a - b) / taken for a, b in zip(after, before, strict=True)]
    return Idle(
        beat_percent=percent[0],
        postgresql_percent=percent[1],
        valkey_percent=percent[2],
    )


def measure_edits(side: Side, pid: int, edits: int) -> Edit:
    """Edit one entry after the other; return the medians."""
    taken: list[tuple[float, float]] = []
    while len(taken) < edits and sum(seconds for seconds, _ in taken) < CUT_SECONDS:
        time.sleep(EDIT_PAUSE_SECONDS)
        taken.append(_edit(side, pid, len(taken) + 1))
    seconds, cpu_seconds = map(median, zip(*taken, strict=True))
    return Edit(
        seconds=cut(seconds),
        beat_cpu_seconds=cpu_seconds,
        memory_mb=resident_mb(pid),
    )


def measure_burst(side: Side, due: Due) -> Burst:
    with celery_beat(side.scheduler) as pid:
        _sleep_until(due.at)
        cpu, since = tree_cpu_seconds(pid), time.perf_counter()
        _wait(lambda: side.fired() >= due.count)
        seconds, fired = time.perf_counter() - since, side.fired()
        cpu = tree_cpu_seconds(pid) - cpu
    return Burst(
        due=due.count,
        fired=fired,
        seconds=seconds,
        fires_per_second=fired / seconds,
        beat_cpu_ms_per_fire=1000 * cpu / max(1, fired),
    )


def measure_load(side: Side, due: Due, seconds: float) -> Load:
    with celery_beat(side.scheduler):
        _sleep_until(due.at)
        time.sleep(seconds)
        fired, late = side.fired(), side.lateness()
    return Load(
        due_per_second=1 / due.apart.total_seconds(),
        fired_per_second=fired / seconds,
        late_p50_seconds=late.p50 if late else UNKNOWN,
        late_p99_seconds=late.p99 if late else UNKNOWN,
    )


def _edit(side: Side, pid: int, number: int) -> tuple[float, float]:
    """Return the seconds, and the CPU seconds of beat, until an edit has fired."""
    fired, cpu, since = side.fired(), tree_cpu_seconds(pid), time.perf_counter()
    side.edit(number)
    _wait(lambda: side.fired() > fired)
    return time.perf_counter() - since, tree_cpu_seconds(pid) - cpu


def _wait(done: Callable[[], bool]) -> None:
    wait_until(done, timeout_seconds=CUT_SECONDS)


def _sleep_until(instant: datetime) -> None:
    time.sleep(max(0, (instant - datetime.now(UTC)).total_seconds()))
