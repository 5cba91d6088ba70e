from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The bound of a figure, which is usually a ratio of ours to the naive baseline."""

    what: str
    figure: float
    unit: str = "times naive"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        low, high = self.at_least or 0, self.at_most or float("inf")
        return low <= self.figure <= high

    def __str__(self) -> str:
        wanted = f"≥ {self.at_least}" if self.at_least else f"≤ {self.at_most}"
        result = "target met" if self.is_met else "TARGET MISSED"
        measured = f"{self.what}: {self.figure:.2f} {self.unit}"
        return f"{measured}, wanted {wanted}: **{result}**"


def interleave(sides: Mapping[str, Callable[[], T]], *, rounds: int) -> dict[str, T]:
    """Run all sides in turn, so that a busy moment affects all; return the medians."""
    runs: dict[str, list[T]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            runs[name].append(run())
    return {name: median_of(results) for name, results in runs.items()}


def median_of(runs: Sequence[T]) -> T:
    """Return the median of each figure separately."""
    names = [field.name for field in fields(runs[0])]
    medians = {n: statistics.median(getattr(run, n) for run in runs) for n in names}
    return type(runs[0])(**medians)


def as_table(medians: Mapping[str, DataclassInstance]) -> str:
    """Return a table in Markdown: a row per side, a column per figure."""
    rows = [[name, *_figures(run)] for name, run in medians.items()]
    first = next(iter(medians.values()))
    head = ["", *(field.name.replace("_", " ") for field in fields(first))]
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def as_json(medians: Mapping[str, DataclassInstance], targets: Sequence[Target]) -> str:
    runs = {name: asdict(run) for name, run in medians.items()}
    return dump_report(targets, medians=runs)


def dump_report(targets: Sequence[Target], **measured: object) -> str:
    return json.dumps(
        {
            "commit": commit(),
            "date": datetime.now(UTC).date().isoformat(),
            **measured,
            "targets": [{**asdict(t), "is_met": t.is_met} for t in targets],
        },
        indent=2,
    )


def commit() -> str:
    """Return the current commit, marked if the working tree differs from it."""
    described = subprocess.run(
        [
            "/usr/bin/env",
            "git",
            "--no-optional-locks",
            "describe",
            "--always",
            "--dirty",
            "--exclude=*",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def _figures(run: DataclassInstance) -> list[str]:
    return [_text(getattr(run, field.name)) for field in fields(run)]


def _text(value: float | str) -> str:
    if isinstance(value, str):  # the reason why the figure is missing
        return value
    if isinstance(value, int) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}"
