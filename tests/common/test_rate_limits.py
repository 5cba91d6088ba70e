"""The script of sliding windows, at times that the tests choose."""

from __future__ import annotations

import random
from functools import partial
from itertools import count

import pytest

from common.rate_limits import LimitResult, Size, Use, Window, count_in_windows
from common.redis import ask_redis
from tests.races import ROUNDS, race

pytestmark = pytest.mark.usefixtures("servers")

START_US = 1_800_000_000_000_000
SECOND_US = 1_000_000

_subjects = (f"subject-{n}" for n in count())


def window(limit: int, *, seconds: int = 60, name: str = "test") -> Window:
    return Window(name, next(_subjects), limit, seconds)


def hit(*windows: Window, at: float, use: Use = Use.COUNT_AND_REPORT) -> LimitResult:
    """Count in windows at so many seconds after the start."""
    now_us = START_US + round(at * SECOND_US)
    return count_in_windows(dict.fromkeys(windows, use), now_us=now_us)


def hits(one: Window, times: int, *, at: float) -> int:
    """Return how many of so many simultaneous requests are allowed."""
    return sum(hit(one, at=at).is_allowed for _ in range(times))


@pytest.mark.parametrize("limit", [1, 10, 100])
def test_exactly_the_limit_is_allowed(limit: int) -> None:
    assert hits(window(limit), limit + 20, at=0) == limit


def test_the_result_says_how_many_are_left() -> None:
    one = window(3)

    assert [hit(one, at=0).remaining for _ in range(3)] == [2, 1, 0]
    assert hit(one, at=0)[:3] == (0, one, 0)


def test_a_request_counts_until_it_is_older_than_the_window() -> None:
    one = window(10)
    assert hits(one, 10, at=0) == 10

    assert hits(one, 1, at=59.9) == 0
    assert hits(one, 20, at=66) == 10


def test_the_window_slides() -> None:
    one = window(10)
    for second in range(10):
        hit(one, at=second * 6)

    allowed = [hits(one, 5, at=second) for second in (60, 66, 72, 78)]

    assert allowed == [0, 1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_no_period_of_a_window_allows_more_than_the_limit(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    one, now = window(20), 0.0
    allowed = []
    for _ in range(600):
        now += chance.choice([0, 0.01, 0.5, 3])
        if hit(one, at=now).is_allowed:
            allowed.append(now)

    densest = max(sum(t - 60 < other <= t for other in allowed) for t in allowed)

    assert densest == 20


@pytest.mark.parametrize("seed", range(5))
def test_a_request_is_allowed_after_its_wait_and_not_before(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    one, now = window(5), 0.0
    refusals = 0
    for _ in range(200):
        now += chance.random() * 5
        result = hit(one, at=now)
        if not result.is_allowed:
            refusals += 1
            now = round(now, 6) + result.wait_seconds
            assert not hit(one, at=now - 0.001).is_allowed
            assert hit(one, at=now).is_allowed
    assert refusals > 20


def test_a_request_that_one_window_refuses_counts_in_none() -> None:
    full, wide = window(1), window(10)
    hit(full, at=0)

    assert hit(full, wide, at=0).window == full
    assert hit(wide, at=0).remaining == 9


def test_of_two_refusing_windows_the_longer_wait_is_returned() -> None:
    minute, hour = window(1), window(1, seconds=3600)
    hit(minute, hour, at=0)

    result = hit(minute, hour, at=0)

    assert result.window == hour
    assert result.wait_seconds > 3500


def test_the_reported_window_with_the_least_left_is_returned() -> None:
    loose, tight, hidden = window(10), window(5), window(2)
    uses = {loose: Use.COUNT_AND_REPORT, tight: Use.COUNT_AND_REPORT, hidden: Use.COUNT}

    result = count_in_windows(uses, now_us=START_US)

    assert (result.window, result.remaining) == (tight, 4)


def test_a_look_counts_nothing_and_still_refuses() -> None:
    one = window(1)
    for _ in range(3):
        assert hit(one, at=0, use=Use.LOOK).is_allowed
    hit(one, at=0)

    assert not hit(one, at=0, use=Use.LOOK).is_allowed


def test_what_is_left_is_read_without_counting() -> None:
    one = window(5)
    hits(one, 2, at=0)

    read = [
        count_in_windows({one: Use.COUNT_AND_REPORT}, wanted=0, now_us=START_US)
        for _ in range(2)
    ]

    assert [result.remaining for result in read] == [3, 3]
    assert hit(one, at=0).remaining == 2


def test_setting_the_clock_back_allows_no_more_requests() -> None:
    one = window(3)

    assert hits(one, 2, at=3600) == 2
    assert hits(one, 2, at=0) == 1


def test_a_key_stays_small_and_expires() -> None:
    one = window(10_000, seconds=1)
    for number in range(300):
        hit(one, at=number / 100)

    size = ask_redis(lambda r: r.strlen(one.key), otherwise=-1)
    left_ms = ask_redis(lambda r: r.pttl(one.key), otherwise=-1)

    assert 0 < int(size) < 200
    assert 0 < int(left_ms) <= 1200


def test_without_a_given_time_that_of_redis_counts() -> None:
    one = window(1)

    assert count_in_windows({one: Use.COUNT}).is_allowed
    assert not count_in_windows({one: Use.COUNT}).is_allowed


def test_a_script_that_redis_does_not_have_is_sent_again() -> None:
    ask_redis(lambda r: bool(r.script_flush()), otherwise=False)

    assert hits(window(1), 2, at=0) == 1


def test_racing_threads_get_exactly_the_limit() -> None:
    for _ in range(ROUNDS):
        one = window(5)

        results = race(partial(count_in_windows, {one: Use.COUNT}))

        assert sum(result.is_allowed for result in results) == 5


def send(one: Window, size: int, *, at: float) -> LimitResult:
    now_us = START_US + round(at * SECOND_US)
    return count_in_windows({one: Use.COUNT}, size=Size(size), now_us=now_us)


def test_bytes_are_allowed_up_to_the_limit_and_small_bodies_after_a_refusal() -> None:
    one = window(100)._replace(counts_bytes=True)

    allowed = [send(one, size, at=0).is_allowed for size in (60, 41, 40, 1)]

    assert allowed == [True, False, True, False]
    assert send(one, 100, at=66).is_allowed


def test_a_refused_body_fits_after_its_wait() -> None:
    one = window(100)._replace(counts_bytes=True)
    for second in (0, 20, 40):
        send(one, 30, at=second)

    refused = send(one, 50, at=50)

    assert not refused.is_allowed
    assert not send(one, 50, at=50 + refused.wait_seconds - 0.001).is_allowed
    assert send(one, 50, at=50 + refused.wait_seconds).is_allowed


def test_a_body_larger_than_the_limit_waits_for_the_whole_window() -> None:
    one = window(100)._replace(counts_bytes=True)

    assert send(one, 101, at=0)[:4] == (0, one, 0, 60.0)


def test_bytes_and_requests_are_counted_together_or_not_at_all() -> None:
    requests, size = window(10), window(100)._replace(counts_bytes=True)
    count_in_windows(
        {requests: Use.COUNT, size: Use.COUNT}, size=Size(100), now_us=START_US
    )

    refused = count_in_windows(
        {requests: Use.COUNT, size: Use.COUNT}, size=Size(1), now_us=START_US
    )

    assert refused.window == size
    assert hit(requests, at=0).remaining == 8


def test_unused_bytes_are_returned() -> None:
    one = window(1000)._replace(counts_bytes=True)
    count_in_windows({one: Use.COUNT}, wanted=4, size=Size(1, 2, 0), now_us=START_US)

    count_in_windows({one: Use.COUNT}, size=Size(1, 2, 6), now_us=START_US)

    assert send(one, 998, at=0).is_allowed
    assert not send(one, 1, at=0).is_allowed


def test_the_fields_of_bytes_name_their_unit() -> None:
    one = Window("endpoint-bytes", next(_subjects), 5, 3600, counts_bytes=True)

    refused = send(one, 6, at=1)

    policy = '"endpoint-bytes";q=5;qu="content-bytes";w=3600'
    assert refused.headers == {
        "RateLimit-Policy": policy,
        "RateLimit": '"endpoint-bytes";r=0;t=3600',
    }


def test_the_fields_are_those_of_the_draft() -> None:
    one = Window("endpoint", next(_subjects), 2)
    allowed, _, refused = (hit(one, at=1) for _ in range(3))

    assert allowed.headers == {
        "RateLimit-Policy": '"endpoint";q=2;w=60',
        "RateLimit": '"endpoint";r=1;t=60',
    }
    assert refused.retry_after_seconds == 65
    assert refused.headers["RateLimit"] == '"endpoint";r=0;t=65'
