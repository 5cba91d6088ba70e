from __future__ import annotations

import os

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from agents.services import workers
from agents.services.resubmit import submitted_floor
from agents.services.run import running_floor
from agents.services.submit import due_floor
from common.redis import ask_redis
from events.nudge import nudge
from events.services import record
from senders.sandbox import calls, limits
from senders.sandbox.limits import TimeLimits
from tests import memory_backend as memory_backend  # registers itself
from webhooks.limits import requests, store
from webhooks.rejections import recording


@pytest.fixture(autouse=True)
def _empty_redis(request: pytest.FixtureRequest) -> None:
    """Let no nudge and no message of one test reach the next."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        ask_redis(lambda r: bool(r.flushall()), otherwise=False)


@pytest.fixture(autouse=True)
def _nudge_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nudge where the event is stored: a thread could reach into the next test."""
    monkeypatch.setattr(record, "nudge_soon", nudge)


@pytest.fixture(autouse=True)
def _flush_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store rejections where a test says so: a thread could reach into the next."""
    monkeypatch.setattr(recording, "flush_soon", lambda: None)
    recording._buffer(os.getpid()).take()
    requests.memory.forget()
    requests.leases.forget()


@pytest.fixture(autouse=True)
def _ample_time_for_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis 10 s: on a busy machine 50 ms pass, and requests without limits."""
    monkeypatch.setattr(store, "TIMEOUT_SECONDS", 10.0)


@pytest.fixture(autouse=True)
def _no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a new worker, whose heartbeats are sent only by the test."""
    monkeypatch.setattr(workers, "_current", None)
    monkeypatch.setattr(workers._heartbeats, "start", lambda: None)


@pytest.fixture(autouse=True)
def _look_at_everything() -> None:
    """Let each test's first looks find tasks of any age."""
    for floor in (due_floor, submitted_floor, running_floor):
        floor.forget()


@pytest.fixture
def _ample_time_for_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give uploaded code 30 s: on a busy machine 50 ms can pass before it starts."""
    ample = TimeLimits(run_seconds=30, wait_seconds=30)
    monkeypatch.setattr(calls, "PARSER", ample)
    monkeypatch.setattr(calls, "VALIDATOR", ample)
    monkeypatch.setattr(limits, "VALIDATOR", ample)
    monkeypatch.setattr(limits, "MAX_WAIT_SECONDS", 30.0)


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("ana", "ana@example.test", "secret")


@pytest.fixture
def api(admin: User) -> APIClient:
    """A client of the API with every right."""
    client = APIClient()
    client.force_authenticate(admin)
    return client
