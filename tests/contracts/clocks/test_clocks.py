"""The guarantees of every clock, with real processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.acceptance.clock import Clock
from tests.acceptance.waiting import wait_for, wait_until_equal

pytestmark = pytest.mark.acceptance

SECOND = timedelta(seconds=1)
MIRROR_SECONDS = 60


@pytest.fixture(scope="module")
def witness(clock: Clock) -> str:
    """A trigger that fires every second: its firings prove that time has passed."""
    return clock.make_interval("witness", 1)


def test_each_instant_fires_once(
    clock: Clock, note_figure: Callable[[str, object], None]
) -> None:
    trigger_id = clock.make_interval("every two seconds", 2, catchup="all")

    fired = clock.wait_for_firings(trigger_id, 4)

    instants = [firing.scheduled_for for firing in fired]
    assert {b - a for a, b in pairwise(instants)} == {2 * SECOND}
    assert min(firing.lateness for firing in fired) >= timedelta(0)
    note_figure("latest:", max(firing.lateness for firing in fired))
    assert clock.doubled() == []


def test_a_trigger_saved_while_the_clock_sleeps_fires(
    clock: Clock, note_figure: Callable[[str, object], None]
) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + 2 * SECOND
    trigger_id = clock.make_trigger(
        "soon", schedule_type="once", schedule_config={"at": at.isoformat()}
    )

    [fired] = clock.wait_for_firings(trigger_id, 1)

    note_figure("lateness:", fired.lateness)
    assert fired.scheduled_for == at


def test_a_changed_schedule_applies_from_the_change_on(clock: Clock) -> None:
    trigger_id = clock.make_interval("changed", 3600, catchup="all")

    clock.api.patch(
        f"/triggers/{trigger_id}", {"schedule_config": {"interval_seconds": 1}}
    )

    fired = clock.wait_for_firings(trigger_id, 3)
    instants = [firing.scheduled_for for firing in fired]
    assert {b - a for a, b in pairwise(instants)} == {SECOND}


def test_a_disabled_trigger_does_not_fire_until_it_is_enabled(
    clock: Clock, witness: str
) -> None:
    trigger_id = clock.make_interval("switched", 1)
    clock.wait_for_firings(trigger_id, 1)

    clock.api.post(f"/triggers/{trigger_id}/disable")

    disabled_at = datetime.now(UTC)
    clock.wait_for_firings(witness, 2, after=disabled_at)
    assert clock.firings(trigger_id, after=disabled_at) == []
    enabling_at = datetime.now(UTC)
    clock.api.post(f"/triggers/{trigger_id}/enable")
    fired = clock.wait_for_firings(trigger_id, 2, after=disabled_at)
    assert fired[0].scheduled_for > enabling_at


def test_a_deleted_trigger_no_longer_fires(clock: Clock, witness: str) -> None:
    trigger_id = clock.make_interval("deleted", 1)
    clock.wait_for_firings(trigger_id, 1)

    clock.api.delete(f"/triggers/{trigger_id}")

    deleted_at = datetime.now(UTC)
    clock.wait_for_firings(witness, 2, after=deleted_at)
    assert clock.firings(trigger_id, after=deleted_at) == []


def test_the_mirror_shows_the_runs(clock: Clock) -> None:
    trigger_id = clock.make_trigger(
        "mirrored",
        schedule_type="interval",
        schedule_config={"interval_seconds": 1},
        max_runs=3,
    )
    clock.wait_for_firings(trigger_id, 3)

    def mirror() -> list[int]:
        rows = clock.stack.rows(
            "SELECT enabled, total_run_count, last_run_at IS NOT NULL "
            "FROM django_celery_beat_periodictask WHERE name = %s",
            f"cron-trigger-{trigger_id}",
        )
        return list(*rows)

    wait_until_equal(mirror, [False, 3, True], timeout_seconds=MIRROR_SECONDS)


def test_two_clocks_of_the_same_class_fire_nothing_twice(clock: Clock) -> None:
    trigger_id = clock.make_interval("for two", 1)

    clock.stack.start("beat:2")

    started_at = datetime.now(UTC)
    clock.wait_for_firings(trigger_id, 4, after=started_at)
    clock.stack.stop("beat:2")
    assert clock.counts_its_events(trigger_id)
    assert clock.doubled() == []


def test_a_killed_clock_loses_and_repeats_nothing(
    clock: Clock,
) -> None:
    trigger_id = clock.make_interval("survivor", 1, catchup="all")
    [first, *_] = clock.wait_for_firings(trigger_id, 2)

    clock.stack.kill("beat")
    wait_for(lambda: clock.is_overdue(trigger_id, 3 * SECOND), timeout_seconds=60)
    clock.stack.start("beat")

    restarted_at = datetime.now(UTC)
    fired = clock.wait_for_firings(trigger_id, 2, after=restarted_at)
    clock.wait_for_firings(trigger_id, len(fired))
    instants = [f.scheduled_for for f in clock.firings(trigger_id)]
    assert instants[0] == first.scheduled_for
    assert {b - a for a, b in pairwise(instants)} == {SECOND}
    assert clock.doubled() == []
