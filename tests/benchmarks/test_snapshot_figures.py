from __future__ import annotations

import math

from benchmarks.snapshot.figures import (
    FLAT,
    Phase,
    Window,
    phase_at,
    phases_table,
    snapshot_targets,
)
from benchmarks.snapshot.statements import GROUPS, Cost


def cost(ms: float, buffers: float = 10, *, calls: int = 1) -> Cost:
    return Cost(calls=calls, ms=ms, buffers=buffers)


def window(at: float, claim: Cost, p99_ms: float = 5) -> Window:
    return Window(at=at, costs={"claim": claim}, p99_ms=p99_ms)


def phase(ms: float, buffers: float = 10, p99_ms: float = 5) -> Phase:
    return Phase(costs=dict.fromkeys(GROUPS, cost(ms, buffers)), p99_ms=p99_ms)


def test_a_phase_is_the_median_of_the_last_windows_up_to_a_moment() -> None:
    windows = [window(0, cost(9), 9), window(0, cost(1), 1), window(0, cost(2), 2)]
    windows += [window(0, cost(3), 3), window(10, cost(50), 50)]

    before = phase_at(windows, 0)

    assert (before.costs["claim"].ms, before.p99_ms) == (2, 2)


def test_a_window_without_a_call_does_not_count() -> None:
    windows = [window(0, cost(0, 0, calls=0)), window(0, cost(4)), window(0, cost(6))]

    assert phase_at(windows, 0).costs["claim"] == cost(5, calls=2)


def test_a_call_may_take_5_times_the_time_or_3_times_the_buffers() -> None:
    def is_flat(end: Phase) -> bool:
        targets = snapshot_targets(phase(1), phase(1), end)
        assert len({target.is_met for target in targets[: len(FLAT)]}) == 1
        return targets[0].is_met

    assert is_flat(phase(5, 1000))
    assert is_flat(phase(100, 30))
    assert not is_flat(phase(5.1, 31))


def test_submit_due_tasks_must_not_grow_and_webhooks_must_not_slow_down() -> None:
    *_, overdue, p99 = snapshot_targets(phase(1), phase(4), phase(4.8, p99_ms=10))
    assert overdue.is_met
    assert p99.is_met

    *_, overdue, p99 = snapshot_targets(phase(1), phase(4), phase(4.9, p99_ms=10.1))
    assert not overdue.is_met
    assert not p99.is_met


def test_a_missing_measurement_misses_its_target() -> None:
    targets = snapshot_targets(phase(0, 0), phase(1), phase(1))

    assert targets[0].figure == math.inf
    assert not targets[0].is_met


def test_the_table_has_a_row_for_each_statement() -> None:
    lines = phases_table({"before": phase(1), "held": phase(2, 1234)}).splitlines()

    assert lines[0] == "|  | before | held |"
    assert "| claim | 1.000 / 10 | 2.000 / 1,234 |" in lines
    assert lines[-1] == "| webhook p99, ms | 5.0 | 5.0 |"
    assert len(lines) == len(GROUPS) + 3
