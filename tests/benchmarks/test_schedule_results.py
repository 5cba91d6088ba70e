from __future__ import annotations

import pytest

from benchmarks.schedule.figures import TOO_LONG, Burst, Edit, Figure, Load, Start, cut
from benchmarks.schedule.results import Results, schedule_targets


def make_results(*, start: Figure = 1.5, stock_fires: float = 50) -> Results:
    return Results(
        start={
            "ours, 1": Start(seconds=1.2, cpu_seconds=1.0, memory_mb=100),
            "ours, 100,000": Start(seconds=start, cpu_seconds=1.0, memory_mb=100),
        },
        edit={"ours, 100,000": Edit(seconds=0.2, beat_cpu_seconds=0, memory_mb=105)},
        burst={
            "stock, 10,000": make_burst(stock_fires),
            "ours, 10,000": make_burst(5000),
        },
        load={
            "ours, 100,000": Load(
                due_per_second=1000,
                fired_per_second=999,
                late_p50_seconds=0.01,
                late_p99_seconds=0.3,
            )
        },
    )


def make_burst(fires_per_second: float) -> Burst:
    return Burst(
        due=10_000,
        fired=10_000,
        seconds=2,
        fires_per_second=fires_per_second,
        beat_cpu_ms_per_fire=0.1,
    )


def test_all_targets_are_reported_and_met() -> None:
    targets = list(schedule_targets(make_results(), largest=100_000))

    assert [target.figure for target in targets] == [1.5, 1.05, 0.2, 0, 100, 0.3]
    assert all(target.is_met for target in targets)


def test_a_start_that_was_cut_off_misses_its_target() -> None:
    results = make_results(start=TOO_LONG)

    first = next(schedule_targets(results, largest=100_000))

    assert str(first) == (
        "Start with 100,000 triggers: inf s, wanted ≤ 2.0: **TARGET MISSED**"
    )


def test_sizes_that_were_not_measured_have_no_targets() -> None:
    results = make_results()
    results.burst.clear()
    results.load.clear()

    assert len(list(schedule_targets(results, largest=100_000))) == 4


def test_tables_mark_figures_that_were_cut_off() -> None:
    tables = make_results(start=cut(60.0)).as_tables()

    assert "| ours, 100,000 | > 60 | 1.00 | 100 |" in tables


@pytest.mark.parametrize(("seconds", "shown"), [(59.9, 59.9), (60.0, "> 60")])
def test_a_measurement_of_a_minute_is_cut_off(seconds: float, shown: Figure) -> None:
    assert cut(seconds) == shown
