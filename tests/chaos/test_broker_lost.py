"""Valkey is killed, its data deleted, and started again while webhooks arrive."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.chaos.load import Hook, count_tasks, make_hook, make_payloads
from tests.chaos.scale import IS_LONG, SEEDS, dice

pytestmark = pytest.mark.chaos

EVENTS = 2000 if IS_LONG else 1000
RETURN_SECONDS = 60 if IS_LONG else 180
UNPROCESSED = 300
# One message before the loss and one after it, and some for tasks that a worker had
# reserved and for attempts while the broker was down.
MESSAGES_FOR_EACH_TASK = 2.5


@pytest.fixture
def hook(stack: Stack, client: Api) -> Hook:
    stack.start("web", "worker", "agents")
    return make_hook(stack, client)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broker_that_lost_everything_loses_no_event_and_no_task(
    stack: Stack,
    hook: Hook,
    seed: int,
    note_figure: Callable[[str, object], None],
) -> None:
    chance = dice(seed)
    payloads = make_payloads(chance, EVENTS)
    middle = chance.randrange(UNPROCESSED, EVENTS - UNPROCESSED)
    hook.send(payloads[:middle])

    stack.lose_broker()

    answers = hook.send(payloads[middle:])
    note_figure("slowest answer in seconds:", max(answer.seconds for answer in answers))
    unfinished = count_tasks(EVENTS) - hook.progress().succeeded
    stack.start_broker()
    assert unfinished >= UNPROCESSED
    returned_at = time.monotonic()
    hook.wait_until_done(EVENTS, timeout_seconds=RETURN_SECONDS)
    note_figure("seconds to the end:", round(time.monotonic() - returned_at, 1))
    hook.assert_tasks_match(payloads)
    messages = stack.number("SELECT sum(publications) FROM agents_agenttask")
    note_figure("messages for each task:", round(messages / count_tasks(EVENTS), 2))
    assert messages <= MESSAGES_FOR_EACH_TASK * count_tasks(EVENTS)
