"""Beats are killed, stopped and without a broker: each instant is still one event."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for
from tests.chaos.clockwork import (
    SECOND,
    Clockwork,
    at_every,
    every,
    make_clockwork,
)
from tests.chaos.scale import IS_LONG, dice

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

Note = Callable[[str, object], None]

TRIGGERS = 500 if IS_LONG else 200
BEATS = ("beat:1", "beat:2", "beat:3")
FROZEN = "beat:3"
RUN = (180 if IS_LONG else 18) * SECOND
KILL_EVERY = (10 if IS_LONG else 5) * SECOND
FREEZE_FOR = (20 if IS_LONG else 6) * SECOND
OUTAGE = (120 if IS_LONG else 12) * SECOND
# Asserted in the long form only, which runs on a machine of its own.
LATEST_SECONDS = 2.0


@pytest.fixture
def clockwork(stack: Stack, client: Api) -> Clockwork:
    """Half of the triggers are due at the same instants, the others at their own."""
    stack.start("web")
    kinds = (every(5, catchup="all"), at_every(5, catchup="all"))
    return make_clockwork(stack, client, list(kinds) * (TRIGGERS // 2))


def test_killed_and_stopped_beats_delay_no_instant(
    stack: Stack, clockwork: Clockwork, note_figure: Note
) -> None:
    chance = dice(1)
    stack.start(*BEATS)
    wait_for(lambda: count_clocks(stack) == len(BEATS), timeout_seconds=60)
    start = clockwork.now()
    end, thaw_at = start + RUN, start + FREEZE_FOR
    stack.freeze(FROZEN)

    for victim in itertools.cycle(chance.sample(BEATS[:2], 2)):
        killed_at = clockwork.now()
        stack.kill(victim)
        stack.start(victim)
        if clockwork.now() > thaw_at:
            stack.thaw(FROZEN)
            clockwork.wait_until(clockwork.now() + chance.random() * SECOND)
            stack.freeze(FROZEN)
            thaw_at = clockwork.now() + FREEZE_FOR
        clockwork.wait_until(killed_at + KILL_EVERY * chance.uniform(0.8, 1.2))
        if clockwork.now() > end:
            break

    stack.thaw(FROZEN)
    clockwork.wait_until(end)
    lateness = clockwork.assert_each_instant_is_one_event(start, end)
    note_figure("lateness:", lateness)
    assert lateness.worst < LATEST_SECONDS or not IS_LONG


def count_clocks(stack: Stack) -> int:
    """Return the number of connections of running clocks."""
    return stack.number(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND (query LIKE 'LISTEN%%' "
        "OR query LIKE '%%epoch FROM next_run_time%%' "
        "OR query LIKE '%%next_run_time <= %%')"
    )


def test_beats_that_start_without_a_broker_are_on_time(
    stack: Stack, clockwork: Clockwork, note_figure: Note
) -> None:
    stack.lose_broker()

    stack.start(*BEATS)

    start = clockwork.now()
    end = start + OUTAGE
    clockwork.wait_until(end)
    lateness = clockwork.assert_each_instant_is_one_event(start, end)
    note_figure("lateness:", lateness)
    assert lateness.worst < LATEST_SECONDS or not IS_LONG
    stack.start_broker()
