from __future__ import annotations

import random
from itertools import count
from typing import Any

import pytest

from tests.races import race
from webhooks.limits import leases, store
from webhooks.limits.leases import Leases
from webhooks.limits.windows import LimitResult, Use, Window

_subjects = (f"leased-{n}" for n in count())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leases, "time", clock)
    return clock


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Redis was asked: how many are wanted, how many given back."""
    asked: list[dict[str, Any]] = []

    def noting(windows: Any, **how: Any) -> LimitResult:
        asked.append({name: how[name] for name in ("wanted", "unspent")})
        return store.count_in_windows(windows, **how)

    monkeypatch.setattr(leases, "count_in_windows", noting)
    return asked


def uses(limit: int) -> dict[Window, Use]:
    return {Window("test", next(_subjects), limit): Use.COUNT_AND_REPORT}


def used(windows: dict[Window, Use]) -> int:
    [window] = windows
    return window.limit - store.count_in_windows(windows).remaining - 1


def test_near_a_limit_each_request_is_asked_about(
    clock: Clock, questions: list[dict[str, Any]]
) -> None:
    process, windows = Leases(), uses(100)

    let_in = [process.ask(windows).is_allowed for _ in range(120)]

    assert let_in == [True] * 100 + [False] * 20
    assert len(questions) == 120


def test_a_busy_sender_is_seldom_asked_about(
    clock: Clock, questions: list[dict[str, Any]]
) -> None:
    process, windows = Leases(), uses(1_000_000)

    told = [process.ask(windows).remaining for _ in range(1000)]

    assert told == list(range(999_999, 998_999, -1))
    assert [how["wanted"] for how in questions[:8]] == [1, 2, 4, 8, 16, 32, 64, 64]
    assert len(questions) < 25


def test_a_slow_sender_is_asked_about_each_time(
    clock: Clock, questions: list[dict[str, Any]]
) -> None:
    process, windows = Leases(), uses(1_000_000)

    for _ in range(20):
        process.ask(windows)
        clock.now += 0.06

    assert questions == [{"wanted": 1, "unspent": 0}] * 20
    assert used(windows) == 20


def test_what_was_not_used_in_time_is_given_back(
    clock: Clock, questions: list[dict[str, Any]]
) -> None:
    process, windows = Leases(), uses(1_000_000)
    for _ in range(20):
        process.ask(windows)
    clock.now += 0.06

    process.ask(windows)

    assert questions[-1] == {"wanted": 8, "unspent": 11}
    clock.now += 0.06
    process.ask(windows)
    # The last question asked for more than its one, too.
    assert used(windows) == 22 + questions[-1]["wanted"] - 1


def test_what_is_given_back_is_given_back_even_by_a_refused_request() -> None:
    window = Window("test", next(_subjects), 10)
    full = Window("test", next(_subjects), 1)
    for _ in range(5):
        store.count_in_windows({window: Use.COUNT})
    store.count_in_windows({full: Use.COUNT})

    refused = store.count_in_windows({window: Use.COUNT, full: Use.LOOK}, unspent=3)

    assert not refused.is_allowed
    assert used({window: Use.COUNT_AND_REPORT}) == 2


def test_two_racing_processes_let_in_exactly_the_limit(clock: Clock) -> None:
    for _ in range(5):
        first, second, windows = Leases(), Leases(), uses(1000)

        def ask_both(
            first: Leases = first,
            second: Leases = second,
            windows: dict[Window, Use] = windows,
        ) -> int:
            return sum(
                process.ask(windows).is_allowed
                for _ in range(80)
                for process in (first, second)
            )

        assert sum(race(ask_both)) == 1000


def test_a_refusal_takes_away_nothing_that_was_granted(clock: Clock) -> None:
    lease = leases.Lease()
    lease.extend(LimitResult(granted=3, window=None, remaining=5), clock.now)

    lease.extend(LimitResult(granted=0, window=None), clock.now)

    told = [lease.spend(clock.now) for _ in range(3)]
    assert [verdict and verdict.remaining for verdict in told] == [6, 5, None]


def byte_uses(limit: int) -> dict[Window, Use]:
    window = Window("test", next(_subjects), limit, counts_bytes=True)
    return {window: Use.COUNT}


def test_requests_of_any_size_pass_exactly_the_limit_of_bytes(clock: Clock) -> None:
    process, windows = Leases(), byte_uses(1_000_000)
    chance = random.Random(7)  # noqa: S311 - no secret

    let_in = 0
    for _ in range(5000):
        size = chance.choice([0, 1, 300, 900, 5000])
        if process.ask(windows, size=size).is_allowed:
            let_in += size
        if chance.random() < 0.05:
            clock.now += 0.06

    assert 994_000 < let_in <= 1_000_000


def test_a_busy_sender_of_bytes_is_seldom_asked_about(
    clock: Clock, questions: list[dict[str, Any]]
) -> None:
    process, windows = Leases(), byte_uses(1_000_000_000)

    assert all(process.ask(windows, size=600).is_allowed for _ in range(1000))

    assert len(questions) < 25


def test_a_body_larger_than_the_lease_has_bytes_for_is_asked_about(
    clock: Clock, questions: list[dict[str, Any]]
) -> None:
    process, windows = Leases(), byte_uses(1_000_000_000)
    for _ in range(4):
        process.ask(windows, size=10)

    process.ask(windows, size=5_000_000)

    assert questions[-1]["unspent"] > 0


def test_racing_processes_pass_exactly_the_limit_of_bytes(clock: Clock) -> None:
    first, second, windows = Leases(), Leases(), byte_uses(100_000)

    def ask_both() -> int:
        return sum(
            100 * process.ask(windows, size=100).is_allowed
            for _ in range(80)
            for process in (first, second)
        )

    assert sum(race(ask_both)) == 100_000
