from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from benchmarks.schedule.plan import MILLION, Plan, read_plan


@pytest.fixture(autouse=True)
def same_handlers() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def test_without_options_three_sizes_of_all_sides_are_measured() -> None:
    assert read_plan("", []) == Plan(sizes=(1000, 10_000, 100_000))


def test_a_million_entries_are_measured_only_for_tickhook() -> None:
    plan = read_plan("", ["--sizes", "20,10", "--million", "--json"])

    assert plan == Plan(sizes=(20, 10), own_sizes=(MILLION,), as_json=True)


def test_a_quick_run_takes_few_entries() -> None:
    assert max(read_plan("", ["--quick"]).sizes) <= 100


@pytest.mark.parametrize("sizes", ["", "a", "5", "100,0"])
def test_invalid_sizes_are_rejected(
    sizes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_plan("", ["--sizes", sizes])

    assert "--sizes" in capsys.readouterr().err
