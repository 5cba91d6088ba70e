"""The events that Celery workers send, as Flower receives them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery

from tests.acceptance.waiting import wait_for

PROBE = "capture-ready"


def send_probe(dispatcher: Any, is_ready: threading.Event) -> bool:
    dispatcher.send(PROBE)
    return is_ready.wait(0.1)


@contextmanager
def captured_events(app: Celery) -> Iterator[list[dict[str, Any]]]:
    """Collect the events that are sent in the meantime.

    A receiver says that it is ready before it has subscribed: so it is asked to show an
    event of our own, again and again.
    """
    found: list[dict[str, Any]] = []
    is_ready = threading.Event()

    def collect(event: dict[str, Any]) -> None:
        if event["type"] == PROBE:
            is_ready.set()
        else:
            found.append(event)

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": collect})
        capture = threading.Thread(target=receiver.capture, daemon=True)
        capture.start()
        with app.events.default_dispatcher() as dispatcher:
            wait_for(lambda: send_probe(dispatcher, is_ready), timeout_seconds=30)
        yield found
        receiver.should_stop = True
        capture.join(30)
