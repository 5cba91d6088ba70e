from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from senders.sandbox import SandboxUnavailable
from senders.sandbox.limits import Slots
from tests.acceptance.waiting import wait_for, wait_until_equal
from tests.races import ROUNDS, race


def test_a_waiting_caller_is_served_before_a_later_one() -> None:
    for _ in range(ROUNDS):
        slots, is_served = Slots(1), threading.Event()
        with ThreadPoolExecutor(1) as threads:
            with slots.hold(wait_seconds=0):
                waiting = threads.submit(_hold_until, slots, is_served)
                wait_for(slots.count_waiting, timeout_seconds=60)

            with pytest.raises(SandboxUnavailable), slots.hold(wait_seconds=0):
                pass
            is_served.set()
            waiting.result()


def test_callers_are_served_in_order() -> None:
    slots, served = Slots(1), list[int]()

    def hold(number: int) -> None:
        with slots.hold(wait_seconds=30):
            served.append(number)

    with ThreadPoolExecutor(8) as threads, slots.hold(wait_seconds=0):
        for number in range(8):
            threads.submit(hold, number)
            wait_until_equal(slots.count_waiting, number + 1, timeout_seconds=60)

    assert served == list(range(8))


def test_a_caller_that_gave_up_gets_no_slot() -> None:
    slots = Slots(1)

    with slots.hold(wait_seconds=0):
        with pytest.raises(SandboxUnavailable), slots.hold(wait_seconds=0.01):
            pass
        assert slots.count_waiting() == 0

    with slots.hold(wait_seconds=0):
        pass


def test_an_interrupted_caller_releases_its_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slots = Slots(1)

    def interrupt(self: threading.Event, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    with slots.hold(wait_seconds=0), monkeypatch.context() as patched:
        patched.setattr(threading.Event, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt), slots.hold(wait_seconds=30):
            pass

    assert slots.count_waiting() == 0
    with slots.hold(wait_seconds=0):
        pass


def test_slots_are_neither_lost_nor_duplicated_under_contention() -> None:
    slots, lock = Slots(2), threading.Lock()
    counts = [0, 0]

    def hold() -> None:
        for _ in range(10):
            with slots.hold(wait_seconds=30):
                with lock:
                    counts[0] += 1
                    counts[1] = max(counts)
                with lock:
                    counts[0] -= 1

    for _ in range(ROUNDS):
        race(hold)

    assert counts[0] == 0
    assert counts[1] <= 2
    with slots.hold(wait_seconds=0), slots.hold(wait_seconds=0):
        pass


def _hold_until(slots: Slots, is_served: threading.Event) -> None:
    with slots.hold(wait_seconds=30):
        is_served.wait(30)
