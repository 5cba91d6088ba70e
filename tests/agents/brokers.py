from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from celery import Celery


@pytest.fixture
def closed_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A broker on a port that no process listens on."""
    with socket.socket() as unused, Celery(set_as_current=False) as app:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        app.conf.update(broker_url=url, task_publish_retry_policy={"max_retries": 1})
        monkeypatch.setattr("agents.backends.celery.current_app", app)
        yield
