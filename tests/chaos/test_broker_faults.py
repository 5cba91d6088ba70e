"""A broker that runs but fails: accepted deliveries are processed afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.client import Answer, Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_until_equal
from tests.chaos.broker import count_messages, fill_memory, make_read_only, publish
from tests.chaos.load import Hook, make_hook, make_payloads
from tests.chaos.scale import IS_LONG, SEEDS, dice
from tests.servers.proxy import TcpProxy, proxy_to

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]

Note = Callable[[str, object], None]

HOLE_SECONDS = 120 if IS_LONG else 4
CONSUMING_SECONDS = 30 if IS_LONG else 60
DONE_SECONDS = 600
BURST = 25
QUEUES = ("pipeline", "slow")


@pytest.fixture
def proxy(stack: Stack) -> Iterator[TcpProxy]:
    """The only connection between the programs and the broker."""
    with proxy_to(stack.broker_socket) as made:
        stack.reach_broker_by(f"redis://127.0.0.1:{made.port}/0")
        yield made


@pytest.fixture
def hook(stack: Stack, client: Api, proxy: TcpProxy) -> Hook:
    stack.start("web", "worker", "worker-slow", "agents")
    return make_hook(stack, client)


def p99_ms(answers: list[Answer]) -> float:
    seconds = sorted(answer.seconds for answer in answers)
    return round(1000 * seconds[len(seconds) * 99 // 100], 1)


def send_for(hook: Hook, payloads: Iterator[object], seconds: float) -> list[Answer]:
    """Send bursts for some seconds; return the answers."""
    end = time.monotonic() + seconds
    answers: list[Answer] = []
    while time.monotonic() < end:
        started_at = time.monotonic()
        answers += hook.send([next(payloads) for _ in range(BURST)])
        time.sleep(max(0, started_at + 0.5 - time.monotonic()))
    return answers


@pytest.mark.parametrize("seed", SEEDS)
def test_deliveries_accepted_while_the_broker_fails_are_processed(
    stack: Stack, hook: Hook, proxy: TcpProxy, seed: int, note_figure: Note
) -> None:
    payloads = make_payloads(dice(seed), 100_000)
    rest = iter(payloads)
    warm_up = send_for(hook, rest, HOLE_SECONDS / 4)
    before = send_for(hook, rest, HOLE_SECONDS / 4)
    proxy.become_hole()
    during = send_for(hook, rest, HOLE_SECONDS)

    proxy.recover()

    note_figure("seconds until consuming:", seconds_until_consuming(stack))
    note_figure("p99 before, during, ms:", (p99_ms(before), p99_ms(during)))
    sent = len(warm_up) + len(before) + len(during)
    for break_broker in (make_read_only, fill_memory, proxy.become_slow):
        repair = break_broker(stack)
        hook.send([next(rest) for _ in range(BURST)])
        sent += BURST
        wait_until_equal(lambda: hook.progress().waiting, 0, timeout_seconds=60)
        repair()
    repaired_at = time.monotonic()
    hook.wait_until_done(sent, timeout_seconds=DONE_SECONDS)
    note_figure("seconds until all is done:", round(time.monotonic() - repaired_at, 1))
    hook.assert_tasks_match(payloads[:sent])


def seconds_until_consuming(stack: Stack) -> float:
    """Publish to each worker; return the seconds until all messages are consumed."""
    recovered_at = time.monotonic()
    for queue in QUEUES:
        publish(stack, queue)
    wait_until_equal(
        lambda: count_messages(stack, *QUEUES), 0, timeout_seconds=CONSUMING_SECONDS
    )
    return round(time.monotonic() - recovered_at, 1)
