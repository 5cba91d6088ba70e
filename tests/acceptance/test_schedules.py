"""Schedules under beat and a worker, with the real clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.acceptance.client import Api
from tests.acceptance.clock import Clock
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for

pytestmark = pytest.mark.acceptance

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
EVERY_MINUTE, EVERY_FIVE_SECONDS = "* * * * *", "*/5 * * * * *"


@pytest.fixture(scope="module")
def clock(stack: Stack, client: Api) -> Clock:
    stack.start("web", "worker", "beat")
    return Clock(stack=stack, api=client, agent_id=client.make_echo_agent())


def test_a_minute_fires_at_its_instant(
    clock: Clock, note_figure: Callable[[str, object], None]
) -> None:
    in_time = datetime.now(UTC) + timedelta(seconds=10)
    due = in_time.replace(second=0, microsecond=0) + MINUTE
    trigger_id = clock.make_cron("minutes", EVERY_MINUTE)

    [first, *_] = wait_for(
        lambda: clock.firings(trigger_id, after=due - SECOND), timeout_seconds=120
    )

    assert first.scheduled_for == due
    assert first.processing_lateness >= timedelta(0)
    note_figure("lateness:", first.processing_lateness)


def test_each_fifth_second_fires_once(
    clock: Clock, note_figure: Callable[[str, object], None]
) -> None:
    trigger_id = clock.make_cron("seconds", EVERY_FIVE_SECONDS, catchup="all")

    fired = wait_for(
        lambda: f if len(f := clock.firings(trigger_id)) >= 3 else [],
        timeout_seconds=60,
    )

    instants = [firing.scheduled_for for firing in fired]
    assert {b - a for a, b in pairwise(instants)} == {5 * SECOND}
    assert {at.second % 5 for at in instants} == {0}
    note_figure("latest:", max(firing.processing_lateness for firing in fired))


def test_a_disabled_trigger_does_not_fire(clock: Clock) -> None:
    trigger_id = clock.make_cron("disabled", EVERY_FIVE_SECONDS)
    wait_for(lambda: clock.firings(trigger_id), timeout_seconds=60)

    clock.api.post(f"/triggers/{trigger_id}/disable")

    disabled_at = datetime.now(UTC)
    witness = clock.make_cron("witness", EVERY_FIVE_SECONDS)
    wait_for(lambda: clock.firings(witness, after=disabled_at), timeout_seconds=60)
    assert clock.firings(trigger_id, after=disabled_at) == []


def test_a_restart_of_everything_keeps_a_schedule(clock: Clock) -> None:
    trigger_id = clock.make_cron("kept", EVERY_FIVE_SECONDS)
    wait_for(lambda: clock.firings(trigger_id), timeout_seconds=60)

    clock.stack.stop("web", "worker", "beat")
    clock.stack.lose_broker()
    clock.stack.start_broker()
    clock.stack.start("web", "worker", "beat")

    restarted_at = datetime.now(UTC)
    wait_for(lambda: clock.firings(trigger_id, after=restarted_at), timeout_seconds=60)
    assert clock.api.get(f"/triggers/{trigger_id}")["is_active"] is True
