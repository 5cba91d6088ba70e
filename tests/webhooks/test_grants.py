from __future__ import annotations

import random
from itertools import count
from typing import Any

import pytest

from common import rate_limits
from common.rate_limits import LimitResult, Use, Window
from tests.races import race
from webhooks import limits
from webhooks.limits import Grants

_subjects = (f"granted-{n}" for n in count())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The calls to Redis: how many requests are counted, how many returned."""
    made: list[dict[str, Any]] = []

    def record_call(windows: Any, **how: Any) -> LimitResult:
        made.append({name: how[name] for name in ("wanted", "unspent")})
        return rate_limits.count_in_windows(windows, **how)

    monkeypatch.setattr(limits, "count_in_windows", record_call)
    return made


def uses(limit: int) -> dict[Window, Use]:
    return {Window("test", next(_subjects), limit): Use.COUNT_AND_REPORT}


def used(windows: dict[Window, Use]) -> int:
    [window] = windows
    return window.limit - rate_limits.count_in_windows(windows).remaining - 1


def test_near_a_limit_each_request_calls_redis(
    clock: Clock, calls: list[dict[str, Any]]
) -> None:
    process, windows = Grants(), uses(100)

    allowed = [process.count(windows).is_allowed for _ in range(120)]

    assert allowed == [True] * 100 + [False] * 20
    assert len(calls) == 120


def test_requests_of_a_busy_sender_seldom_call_redis(
    clock: Clock, calls: list[dict[str, Any]]
) -> None:
    process, windows = Grants(), uses(1_000_000)

    remaining = [process.count(windows).remaining for _ in range(1000)]

    assert remaining == list(range(999_999, 998_999, -1))
    assert [how["wanted"] for how in calls[:8]] == [1, 2, 4, 8, 16, 32, 64, 64]
    assert len(calls) < 25


def test_each_request_of_a_slow_sender_calls_redis(
    clock: Clock, calls: list[dict[str, Any]]
) -> None:
    process, windows = Grants(), uses(1_000_000)

    for _ in range(20):
        process.count(windows)
        clock.now += 0.06

    assert calls == [{"wanted": 1, "unspent": 0}] * 20
    assert used(windows) == 20


def test_requests_that_were_not_used_in_time_are_returned(
    clock: Clock, calls: list[dict[str, Any]]
) -> None:
    process, windows = Grants(), uses(1_000_000)
    for _ in range(20):
        process.count(windows)
    clock.now += 0.06

    process.count(windows)

    assert calls[-1] == {"wanted": 8, "unspent": 11}
    clock.now += 0.06
    process.count(windows)
    # The last call counted more than its one request, too.
    assert used(windows) == 22 + calls[-1]["wanted"] - 1


def test_a_refused_request_returns_unused_ones_too() -> None:
    window = Window("test", next(_subjects), 10)
    full = Window("test", next(_subjects), 1)
    for _ in range(5):
        rate_limits.count_in_windows({window: Use.COUNT})
    rate_limits.count_in_windows({full: Use.COUNT})

    refused = rate_limits.count_in_windows(
        {window: Use.COUNT, full: Use.LOOK}, unspent=3
    )

    assert not refused.is_allowed
    assert used({window: Use.COUNT_AND_REPORT}) == 2


def test_two_racing_processes_allow_exactly_the_limit(clock: Clock) -> None:
    for _ in range(5):
        first, second, windows = Grants(), Grants(), uses(1000)

        def count_both(
            first: Grants = first,
            second: Grants = second,
            windows: dict[Window, Use] = windows,
        ) -> int:
            return sum(
                process.count(windows).is_allowed
                for _ in range(80)
                for process in (first, second)
            )

        assert sum(race(count_both)) == 1000


def test_a_refusal_keeps_what_was_granted(clock: Clock) -> None:
    grant = limits.Grant()
    grant.extend(LimitResult(granted=3, window=None, remaining=5), clock.now)

    grant.extend(LimitResult(granted=0, window=None), clock.now)

    remaining = [grant.use(clock.now) for _ in range(3)]
    assert [verdict and verdict.remaining for verdict in remaining] == [6, 5, None]


def byte_uses(limit: int) -> dict[Window, Use]:
    window = Window("test", next(_subjects), limit, counts_bytes=True)
    return {window: Use.COUNT}


def test_requests_of_any_size_pass_exactly_the_limit_of_bytes(clock: Clock) -> None:
    process, windows = Grants(), byte_uses(1_000_000)
    chance = random.Random(7)  # noqa: S311 - no secret

    allowed = 0
    for _ in range(5000):
        size = chance.choice([0, 1, 300, 900, 5000])
        if process.count(windows, size=size).is_allowed:
            allowed += size
        if chance.random() < 0.05:
            clock.now += 0.06

    assert 994_000 < allowed <= 1_000_000


def test_bytes_of_a_busy_sender_seldom_call_redis(
    clock: Clock, calls: list[dict[str, Any]]
) -> None:
    process, windows = Grants(), byte_uses(1_000_000_000)

    assert all(process.count(windows, size=600).is_allowed for _ in range(1000))

    assert len(calls) < 25


def test_a_body_larger_than_the_granted_bytes_calls_redis(
    clock: Clock, calls: list[dict[str, Any]]
) -> None:
    process, windows = Grants(), byte_uses(1_000_000_000)
    for _ in range(4):
        process.count(windows, size=10)

    process.count(windows, size=5_000_000)

    assert calls[-1]["unspent"] > 0


def test_racing_processes_pass_exactly_the_limit_of_bytes(clock: Clock) -> None:
    first, second, windows = Grants(), Grants(), byte_uses(100_000)

    def count_both() -> int:
        return sum(
            100 * process.count(windows, size=100).is_allowed
            for _ in range(80)
            for process in (first, second)
        )

    assert sum(race(count_both)) == 100_000
