from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report import Target
from benchmarks.snapshot.statements import Cost

WINDOWS_OF_A_PHASE = 3
FLAT = ("claim", "dead workers", "time-outs", "clock: wait", "clock: find")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The measurement of some seconds; `at` counts from the start of the hold."""

    at: float
    costs: dict[str, Cost]
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The medians of the last windows up to a moment."""

    costs: dict[str, Cost]
    p99_ms: float


def phase_at(windows: Sequence[Window], seconds: float) -> Phase:
    """Return the phase that ends at a moment; 0 is just before the hold.

    Windows without a call say nothing about its cost.
    """
    last = [window for window in windows if window.at <= seconds][-WINDOWS_OF_A_PHASE:]
    return Phase(
        costs={name: _median([w.costs[name] for w in last]) for name in last[0].costs},
        p99_ms=statistics.median(window.p99_ms for window in last),
    )


def snapshot_targets(before: Phase, middle: Phase, end: Phase) -> list[Target]:
    overdue = _ratio(
        end.costs["submit_due_tasks"].ms, middle.costs["submit_due_tasks"].ms
    )
    return [
        *(_flat(name, before.costs[name], end.costs[name]) for name in FLAT),
        Target(
            what="submit_due_tasks at the end",
            figure=overdue,
            unit="times in the middle",
            at_most=1.2,
        ),
        Target(
            what="p99 of webhooks at the end",
            figure=_ratio(end.p99_ms, before.p99_ms),
            unit="times before",
            at_most=2,
        ),
    ]


def phases_table(phases: dict[str, Phase]) -> str:
    """Return a table in Markdown: a row per statement, `ms / buffers` per phase."""
    rows = [["", *phases], ["---", *["--:"] * len(phases)]]
    first = next(iter(phases.values()))
    for name in first.costs:
        costs = [phase.costs[name] for phase in phases.values()]
        rows.append([name, *(f"{c.ms:.3f} / {c.buffers:,.0f}" for c in costs)])
    rows.append(["webhook p99, ms", *(f"{p.p99_ms:.1f}" for p in phases.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _flat(name: str, before: Cost, end: Cost) -> Target:
    """Return the target of a statement: 5 times in time, or 3 times in buffers."""
    time, buffers = _ratio(end.ms, before.ms), _ratio(end.buffers, before.buffers)
    return Target(
        what=f"{name}: {time:.1f} times in time, {buffers:.1f} times in buffers; as a "
        "part of 5 times in time or 3 times in buffers",
        figure=min(time / 5, buffers / 3),
        unit="",
        at_most=1,
    )


def _median(costs: Sequence[Cost]) -> Cost:
    called = [cost for cost in costs if cost.calls] or costs
    return Cost(
        calls=sum(cost.calls for cost in called),
        ms=statistics.median(cost.ms for cost in called),
        buffers=statistics.median(cost.buffers for cost in called),
    )


def _ratio(after: float, before: float) -> float:
    """Return the quotient; infinite, so that a target fails, if one is missing."""
    return after / before if after and before else math.inf
