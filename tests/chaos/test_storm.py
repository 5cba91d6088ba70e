"""Random processes are killed while signed webhooks arrive."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.acceptance.client import Api
from tests.acceptance.installation import Installation, running_installation
from tests.acceptance.waiting import wait_for
from tests.chaos.load import Hook, count_tasks, make_hook, make_payloads
from tests.chaos.scale import IS_LONG, dice
from tests.chaos.sender import Sender, sending
from tests.chaos.victims import KINDS, QUICK_TO_RECOVER, kill_one

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(2400)]

SECRET = "a secret of the storm"  # noqa: S105 - of a throw-away installation
DELIVERIES = 10_000 if IS_LONG else 300
KILLS = 32 if IS_LONG else 6
FLUSHES = 2 if IS_LONG else 0
STEP_SECONDS = 120
# The long form asserts the first; the second is the deadline of both.
DRAIN_SECONDS = 60
MOST_SECONDS = 600
PUBLICATIONS = "SELECT sum(publications) FROM agents_agenttask"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with running_installation(tmp_path / "data") as made:
        yield made


def test_no_kill_loses_or_repeats_an_accepted_delivery(
    installation: Installation, note_figure: Callable[[str, object], None]
) -> None:
    chance = dice(1)
    payloads = make_payloads(chance, DELIVERIES)
    config = {"secret": SECRET}
    hook = make_hook(installation, Api(installation), webhook_config=config)
    kinds = plan(installation, chance)

    with sending(installation.url, path=hook.path, secret=SECRET) as sender:
        storm(installation, sender, payloads, kinds, chance)
        sender.finish()
        ended_at = time.monotonic()
        done_by_then = hook.progress().succeeded
        hook.wait_until_done(DELIVERIES, timeout_seconds=MOST_SECONDS)
        drained_after = time.monotonic() - ended_at

    note_figure("kills:", dict(Counter(kinds)))
    note_figure("attempts that were repeated:", sender.retries)
    note_figure("tasks done at the last delivery:", done_by_then)
    note_figure("seconds to the end:", round(drained_after, 1))
    note_figure("messages of tasks:", installation.number(PUBLICATIONS))
    assert sender.refused == []
    assert_each_was_done_once(installation, hook, sender, payloads)
    assert drained_after <= DRAIN_SECONDS or not IS_LONG


def plan(installation: Installation, chance: random.Random) -> list[str]:
    """Return the kinds to kill, in random order, each at least once."""
    kept = installation.processes()
    kinds = [
        kind
        for kind, (program, _) in KINDS.items()
        if program in kept and (IS_LONG or kind in QUICK_TO_RECOVER)
    ]
    chosen = [*kinds, *chance.choices(kinds, k=max(0, KILLS - len(kinds)))]
    chance.shuffle(chosen)
    return chosen


def storm(
    installation: Installation,
    sender: Sender,
    payloads: list[dict[str, object]],
    kinds: list[str],
    chance: random.Random,
) -> None:
    """Kill one process in the middle of each share of the deliveries."""
    flushes = set(chance.sample(range(len(kinds)), FLUSHES))
    for number, kind in enumerate(kinds):
        start = number * DELIVERIES // len(kinds)
        end = (number + 1) * DELIVERIES // len(kinds)
        sender.send(start, payloads[start:end])
        wanted = chance.randrange(start, end)
        sender.wait_until_accepted(wanted, timeout_seconds=STEP_SECONDS)
        if number in flushes:
            wait_for(lambda: flush(installation), timeout_seconds=STEP_SECONDS)
        kill_one(kind, installation, chance)


def flush(installation: Installation) -> bool:
    """Delete the broker's data; return False while it cannot be reached."""
    with redis.Redis.from_url(installation.redis_url) as client:
        try:
            return bool(client.flushall())
        except redis.RedisError:
            return False


def assert_each_was_done_once(
    installation: Installation, hook: Hook, sender: Sender, payloads: list[Any]
) -> None:
    accepted = Counter(sender.accepted)
    events = installation.rows("SELECT delivery_id FROM events_event")
    assert accepted == Counter(f"d-{place}" for place in range(DELIVERIES))
    assert Counter(row[0] for row in events) == accepted
    executions = installation.number("SELECT count(*) FROM executions_triggerexecution")
    tasks = installation.number("SELECT count(*) FROM agents_agenttask")
    assert executions == 2 * DELIVERIES
    assert tasks == count_tasks(DELIVERIES)
    hook.assert_tasks_match(payloads)
