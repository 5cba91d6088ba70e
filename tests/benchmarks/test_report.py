from __future__ import annotations

from dataclasses import dataclass

import pytest

from benchmarks.report import Target, as_table, interleave


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    per_second: float


def test_sides_take_turns_and_each_has_its_median() -> None:
    turns: list[str] = []
    figures = {"naive": iter([1.0, 9.0, 2.0]), "ours": iter([5.0, 4.0, 30.0])}

    def run(side: str) -> Run:
        turns.append(side)
        return Run(per_second=next(figures[side]))

    medians = interleave(
        {"naive": lambda: run("naive"), "ours": lambda: run("ours")}, rounds=3
    )

    assert turns == ["naive", "ours"] * 3
    assert medians == {"naive": Run(per_second=2.0), "ours": Run(per_second=5.0)}


@pytest.mark.parametrize(
    ("target", "is_met"),
    [
        (Target(what="speed", figure=1.5, at_least=1.5), True),
        (Target(what="speed", figure=1.49, at_least=1.5), False),
        (Target(what="cost", figure=0.7, at_most=0.7), True),
        (Target(what="cost", figure=0.71, at_most=0.7), False),
    ],
)
def test_a_target_is_met_up_to_its_bound(target: Target, is_met: bool) -> None:
    assert target.is_met is is_met


def test_a_missed_target_is_reported_as_missed() -> None:
    target = Target(what="Speed", figure=1.204, at_least=1.5)

    assert str(target) == "Speed: 1.20 times naive, wanted ≥ 1.5: **TARGET MISSED**"


def test_a_table_has_a_row_for_each_side() -> None:
    table = as_table({"naive": Run(per_second=1234.5), "ours": Run(per_second=2.5)})

    assert table == (
        "|  | per second |\n| --- | --: |\n| naive | 1,234 |\n| ours | 2.50 |"
    )
