from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import RequestFactory

from config import health
from config.health import Probe, check_database, readyz
from local.embedded import start_postgres
from local.embedded.folders import remove_server_folder
from local.embedded.servers import Server
from tests.acceptance.waiting import wait_for
from tests.outages import closed_database, read_only_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _probe_without_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    probe = Probe(check_database, keep_seconds=0, wait_seconds=30)
    monkeypatch.setattr(health, "probe", probe)
    yield
    connection.close()


def answer() -> tuple[int, str]:
    """Return the status code of /readyz and its state of the database."""
    response = readyz(RequestFactory().get("/readyz"))
    return response.status_code, json.loads(response.content)["database"]


def test_a_migrated_database_is_ready() -> None:
    assert answer() == (200, "ok")


def test_a_read_only_database_is_not_ready() -> None:
    with read_only_database():
        assert answer() == (503, "read-only")

    assert answer() == (200, "ok")


def test_a_database_that_rejects_connections_is_not_ready() -> None:
    with closed_database():
        assert answer() == (503, "down")


def test_pending_migrations_are_not_ready() -> None:
    recorder = MigrationRecorder(connection)
    newest = MigrationRecorder.Migration.objects.filter(app="agents").latest("name")
    recorder.record_unapplied("agents", newest.name)

    try:
        assert answer() == (503, "migrations pending")
    finally:
        recorder.record_applied("agents", newest.name)
    assert answer() == (200, "ok")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = start_postgres(tmp_path / "postgres", throw_away=True)
    yield started
    started.stop()
    remove_server_folder(tmp_path / "postgres")


def test_a_server_that_shuts_down_is_not_ready_although_it_still_answers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(server.url, autocommit=True) as held:
        place = {"HOST": held.info.host, "NAME": "tickhook", "USER": "tickhook"}
        for name, value in place.items():
            monkeypatch.setitem(connections.settings["default"], name, value)
        assert answer() == (503, "migrations pending")

        server.process.send_signal(signal.SIGTERM)

        wait_for(lambda: answer() == (503, "down"), timeout_seconds=60)
        assert held.execute("SELECT 1").fetchone() == (1,)


def test_frequent_requests_share_a_check() -> None:
    answers = iter(["ok", "down"])
    probe = Probe(lambda: next(answers), keep_seconds=60)

    assert [probe.state() for _ in range(5)] == ["ok"] * 5


def test_a_hanging_check_blocks_no_request_and_is_not_repeated() -> None:
    release, looks = threading.Event(), []

    def hang() -> str:
        looks.append(1)
        release.wait(30)
        return "ok"

    probe = Probe(hang, keep_seconds=60, wait_seconds=0.05)

    states = [probe.state(), probe.state()]
    release.set()

    wait_for(lambda: probe.state() == "ok", timeout_seconds=60)
    assert (states, len(looks)) == (["down", "down"], 1)
