"""Workers killed with all their processes, in the middle of the work."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for
from tests.chaos.load import Hook, make_hook, make_payloads
from tests.chaos.scale import SEEDS, dice

pytestmark = pytest.mark.chaos

EVENTS = 2000
UNPROCESSED = 300
RETURN_SECONDS = 60


@pytest.fixture
def hook(stack: Stack, client: Api) -> Hook:
    stack.start("web", "worker")
    return make_hook(stack, client)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_killed_worker_had_in_hand_is_done_once(
    stack: Stack, hook: Hook, seed: int, note_figure: Callable[[str, object], None]
) -> None:
    payloads = make_payloads(dice(seed), EVENTS)
    stack.freeze("worker")
    hook.send(payloads)
    stack.thaw("worker")
    wait_for(lambda: is_frozen_in_the_middle(stack), timeout_seconds=30)
    unprocessed = count_waiting(stack)

    stack.kill("worker")

    assert unprocessed >= UNPROCESSED
    stack.start("worker", "agents")
    returned_at = time.monotonic()
    hook.wait_until_done(EVENTS, timeout_seconds=RETURN_SECONDS)
    note_figure("unprocessed when killed:", unprocessed)
    note_figure("seconds to the end:", round(time.monotonic() - returned_at, 1))
    hook.assert_all_were_given_what_was_sent(payloads)


@pytest.mark.parametrize("seed", SEEDS)
def test_tasks_that_died_with_their_worker_run_again_marked_as_such(
    stack: Stack, hook: Hook, seed: int
) -> None:
    stack.start("agents")
    payloads = make_payloads(dice(seed), EVENTS // 4)
    hook.send(payloads)
    wait_for(lambda: is_frozen_at_work(stack), timeout_seconds=30)
    running = running_tasks(stack)

    stack.kill("agents")

    stack.start("agents")
    hook.wait_until_done(len(payloads), timeout_seconds=RETURN_SECONDS)
    hook.assert_all_were_given_what_was_sent(payloads)
    assert repeated_tasks(stack) == running


def is_frozen_in_the_middle(stack: Stack) -> bool:
    """Freeze the pipeline with some events worked; thaw it again if none are."""
    stack.freeze("worker")
    if count_waiting(stack) < EVENTS:
        return True
    stack.thaw("worker")
    return False


def is_frozen_at_work(stack: Stack) -> bool:
    """Freeze the agents' worker with a task running; thaw it again if there is none."""
    stack.freeze("agents")
    if running_tasks(stack):
        return True
    stack.thaw("agents")
    return False


def running_tasks(stack: Stack) -> set[str]:
    query = "SELECT id::text FROM agents_agenttask WHERE status = 'running'"
    return {row[0] for row in stack.rows(query)}


def repeated_tasks(stack: Stack) -> set[str]:
    query = "SELECT id::text FROM agents_agenttask WHERE attempt = 2"
    return {row[0] for row in stack.rows(query)}


def count_waiting(stack: Stack) -> int:
    return stack.number("SELECT count(*) FROM events_inbox")
