from __future__ import annotations

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from agents.services import workers
from agents.services.chunks import claim_floors
from agents.services.resubmit import submitted_floor
from agents.services.run import running_floor
from agents.services.submit import due_floor
from agents.services.turns import first_floors
from common import ids, rate_limits
from common.redis import ask_redis
from events.nudge import nudge
from events.services import record
from senders.sandbox import calls, limits
from senders.sandbox.limits import TimeLimits
from tests import memory_backend as memory_backend  # registers itself
from tests.acceptance.fixtures import (
    note_figure,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)
from tests.environment import start_servers
from tests.races import end_racers
from tests.tables import MigratedRows
from webhooks import limits as webhook_limits
from webhooks.rejections import recording

__all__ = ["note_figure", "pytest_runtest_makereport", "pytest_terminal_summary"]

# Directories, and beginnings of file names, whose tests need no server.
_UNIT = (
    "benchmarks",
    "common",
    "conditions",
    "contracts/test_condition",
    "docs",
    "senders",
    "triggers/test_schedules",
    "webserver",
)
# Directories whose tests start programs.
_PROCESSES = ("local",)
_NOT_UNIT = {"acceptance", "browser", "chaos", "django_db", "processes", "servers"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests for the targets of the Makefile."""
    path = item.nodeid.removeprefix("tests/")
    if path.startswith(_PROCESSES):
        item.add_marker("processes")
    needs = {marker.name for marker in item.iter_markers()}
    needs.update(getattr(item, "fixturenames", ()))
    if path.startswith(_UNIT) and not needs & _NOT_UNIT:
        item.add_marker("unit")


@pytest.fixture(scope="session")
def servers(
    worker_id: str,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """PostgreSQL with a migrated database, and Valkey; they end with the run."""

    def migrate() -> None:
        with django_db_blocker.unblock():
            call_command("migrate", verbosity=0)
            connections.close_all()

    own = tmp_path_factory.getbasetemp()
    start_servers(migrate, shared=own if worker_id == "master" else own.parent)


@pytest.fixture(autouse=True)
def _servers(request: pytest.FixtureRequest) -> None:
    """Start the servers before each test that is not a unit test."""
    if request.node.get_closest_marker("unit") is None:
        request.getfixturevalue("servers")


@pytest.fixture(scope="session")
def django_db_setup(
    servers: None, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Make the tests' database; a test that commits empties what it filled."""
    with django_db_blocker.unblock():
        rows = MigratedRows()
    with patch.object(
        TransactionTestCase, "_fixture_teardown", lambda _: rows.restore()
    ):
        yield


@pytest.fixture(autouse=True)
def _end_racers() -> Iterator[None]:
    yield
    end_racers()


@pytest.fixture(autouse=True)
def _empty_redis(request: pytest.FixtureRequest) -> None:
    """Empty Valkey, so that no message of a test reaches the next one."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        ask_redis(lambda r: bool(r.flushall()), otherwise=False)


@pytest.fixture(autouse=True)
def _nudge_synchronously(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nudge in the test's own thread; another could still run in the next test."""
    monkeypatch.setattr(record, "nudge_soon", nudge)


@pytest.fixture(autouse=True)
def _flush_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store rejections only when a test flushes them, not in a background thread."""
    monkeypatch.setattr(recording, "flush_soon", lambda: None)
    recording._buffer(os.getpid()).take()
    webhook_limits.full_windows.clear()
    webhook_limits.grants.clear()


@pytest.fixture(autouse=True)
def _generous_limit_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis 10 s: after 50 ms, which pass on a busy machine, no limit applies."""
    monkeypatch.setattr(rate_limits, "TIMEOUT_SECONDS", 10.0)


@pytest.fixture(autouse=True)
def _generous_drain_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give one drain 60 s: on a busy machine 5 s end it before the inbox is empty."""
    monkeypatch.setattr("executions.pipeline.drain.MAX_SECONDS", 60.0)


@pytest.fixture(autouse=True)
def _ids_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget ids that a test made in the future: later ones would all sort after it."""
    monkeypatch.setattr(ids, "_last", 0)


@pytest.fixture(autouse=True)
def _no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a worker of its own that sends heartbeats only on demand."""
    monkeypatch.setattr(workers, "_current", None)
    monkeypatch.setattr(workers._heartbeats, "start", lambda: None)


@pytest.fixture(autouse=True)
def _forget_floors() -> None:
    """Make the first query of each test look for tasks of any age."""
    for floor in (
        due_floor,
        submitted_floor,
        running_floor,
        first_floors,
        claim_floors,
    ):
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
    made = User.objects.create_superuser("ana", "ana@example.test", "secret")
    return User.objects.select_related("subject_binding").get(pk=made.pk)


@pytest.fixture
def api(admin: User) -> APIClient:
    """Return a client of the API that may do everything."""
    client = APIClient()
    client.force_authenticate(admin)
    return client
