"""Workers are killed with all their processes while they process events and tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for, wait_until_equal
from tests.chaos.load import Hook, make_hook, make_payloads
from tests.chaos.scale import IS_LONG, SEEDS, dice

pytestmark = pytest.mark.chaos

EVENTS = 2000 if IS_LONG else 600
# Enough for the agents' worker to be busy when it is frozen.
TASKS = 500
RETURN_SECONDS = 60 if IS_LONG else 180


@pytest.fixture
def hook(stack: Stack, client: Api) -> Hook:
    stack.start("web", "worker")
    return make_hook(stack, client)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_batch_of_a_killed_worker_is_processed_once(
    stack: Stack, hook: Hook, seed: int, note_figure: Callable[[str, object], None]
) -> None:
    payloads = make_payloads(dice(seed), EVENTS)
    hook.send(payloads[: EVENTS // 2])
    wait_until_equal(lambda: count_waiting(stack), 0, timeout_seconds=RETURN_SECONDS)

    with executions_cannot_be_stored(stack):
        hook.send(payloads[EVENTS // 2 :])
        wait_for(lambda: count_blocked(stack), timeout_seconds=60)
        stack.kill("worker")

    assert count_waiting(stack) == EVENTS // 2
    stack.start("worker", "agents")
    returned_at = time.monotonic()
    hook.wait_until_done(EVENTS, timeout_seconds=RETURN_SECONDS)
    note_figure("seconds to the end:", round(time.monotonic() - returned_at, 1))
    hook.assert_tasks_match(payloads)


@pytest.mark.parametrize("seed", SEEDS)
def test_tasks_of_a_killed_worker_run_again_as_a_second_attempt(
    stack: Stack, hook: Hook, seed: int
) -> None:
    stack.start("agents")
    payloads = make_payloads(dice(seed), TASKS)
    hook.send(payloads)
    wait_for(lambda: is_frozen_while_running(stack), timeout_seconds=60)

    stack.kill("agents")

    # PostgreSQL may still execute what the worker has sent it.
    wait_for(lambda: stack.count_sessions("agents") == 0, timeout_seconds=60)
    running = running_tasks(stack)
    assert running
    stack.start("agents")
    hook.wait_until_done(len(payloads), timeout_seconds=RETURN_SECONDS)
    hook.assert_tasks_match(payloads)
    assert repeated_tasks(stack) == running


@contextmanager
def executions_cannot_be_stored(stack: Stack) -> Iterator[None]:
    """Block each batch where it stores its executions."""
    with psycopg.connect(stack.environment["DATABASE_URL"]) as blocker:
        blocker.execute("LOCK TABLE executions_triggerexecution IN SHARE MODE")
        yield
        blocker.rollback()


def count_blocked(stack: Stack) -> int:
    return stack.number(
        "SELECT count(*) FROM pg_locks WHERE NOT granted "
        "AND relation = 'executions_triggerexecution'::regclass"
    )


def is_frozen_while_running(stack: Stack) -> bool:
    """Freeze the agents' worker; thaw it and return False if no task was running."""
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
