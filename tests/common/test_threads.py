from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from queue import Queue

import pytest

from common.threads import BackgroundThread

Make = Callable[..., BackgroundThread]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make threads that end with the test."""
    made: list[BackgroundThread] = []

    def make_one(
        run_round: Callable[[], object], *, every_seconds: float | None = None
    ) -> BackgroundThread:
        made.append(
            BackgroundThread(run_round, name="tested", every_seconds=every_seconds)
        )
        return made[-1]

    yield make_one
    for thread in made:
        thread.stop()
        thread.join(60)
        assert not thread.is_alive()


def test_each_wake_is_followed_by_a_round(make: Make) -> None:
    rounds: Queue[str] = Queue()
    thread = make(lambda: rounds.put(threading.current_thread().name))

    thread.wake()
    first = rounds.get(timeout=60)
    thread.wake()

    assert [first, rounds.get(timeout=60)] == ["tested", "tested"]
    assert rounds.empty()


def test_wakes_during_a_round_share_the_next_round(make: Make) -> None:
    rounds: Queue[None] = Queue()
    may_go_on = threading.Event()

    def run_round() -> None:
        rounds.put(None)
        may_go_on.wait(60)

    thread = make(run_round)
    thread.wake()
    rounds.get(timeout=60)

    for _ in range(100):
        thread.wake()
    may_go_on.set()
    rounds.get(timeout=60)
    thread.stop()
    thread.join(60)

    assert rounds.empty()


def test_rounds_follow_each_other_after_a_time(make: Make) -> None:
    rounds: Queue[None] = Queue()

    make(lambda: rounds.put(None), every_seconds=0.001).start()

    for _ in range(3):
        rounds.get(timeout=60)


def test_an_error_ends_only_its_round(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: Queue[None] = Queue()
    errors = [ValueError("broken")]

    def run_round() -> None:
        if errors:
            raise errors.pop()
        rounds.put(None)

    make(run_round, every_seconds=0.001).start()

    rounds.get(timeout=60)
    assert "The background thread tested failed" in caplog.text
    assert "ValueError: broken" in caplog.text


def test_a_process_runs_one_thread(make: Make) -> None:
    thread = make(lambda: None)

    for _ in range(3):
        thread.start()
        thread.wake()

    names = [one.name for one in threading.enumerate()]
    assert names.count("tested") == 1


def test_a_stopped_thread_is_started_again_by_start_only(make: Make) -> None:
    rounds: Queue[None] = Queue()
    thread = make(lambda: rounds.put(None))
    thread.start()
    thread.stop()
    thread.join(60)

    thread.wake()
    is_alive_after_wake = thread.is_alive()
    thread.start()
    thread.wake()

    rounds.get(timeout=60)
    assert not is_alive_after_wake


def test_stop_ends_a_pause(make: Make) -> None:
    is_pausing = threading.Event()

    def run_round() -> None:
        is_pausing.set()
        thread.pause(600)

    thread = make(run_round)
    thread.wake()
    assert is_pausing.wait(60)

    thread.stop()
    thread.join(60)

    assert not thread.is_alive()


def test_stop_is_not_lost_when_a_round_waits(make: Make) -> None:
    is_stopped = threading.Event()

    def run_round() -> None:
        is_stopped.wait(60)
        thread.wait(0)  # clears the wake-up that `stop` set

    thread = make(run_round)
    thread.wake()

    thread.stop()
    is_stopped.set()
    thread.join(60)

    assert not thread.is_alive()


def test_a_forked_child_starts_its_own_thread(make: Make) -> None:
    read_end, write_end = os.pipe()
    thread = make(lambda: os.write(write_end, str(os.getpid()).encode() + b" "))
    thread.wake()
    parent = os.read(read_end, 100)

    child_id = os.fork()
    if child_id == 0:
        thread.wake()
        thread._thread.join(60) if thread._thread else None
        os._exit(0)

    child = os.read(read_end, 100)
    os.kill(child_id, 9)
    os.waitpid(child_id, 0)
    os.close(read_end)
    os.close(write_end)
    assert [int(parent), int(child)] == [os.getpid(), child_id]
