"""The events that Celery workers send, as Flower receives them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery


@contextmanager
def captured_events(app: Celery) -> Iterator[list[dict[str, Any]]]:
    """Collect the events that are sent in the meantime."""
    found: list[dict[str, Any]] = []
    is_ready = threading.Event()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": found.append})
        receiver.on_consume_ready = lambda *_, **__: is_ready.set()
        capture = threading.Thread(target=receiver.capture, daemon=True)
        capture.start()
        assert is_ready.wait(30)
        yield found
        receiver.should_stop = True
        capture.join(30)
