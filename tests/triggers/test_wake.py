"""The clock behind PgBouncer in transaction mode."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, connections

from common import pooling
from common.database.sql import database_now
from config.env import read_database
from events.models import Event
from tests.acceptance.waiting import wait_for
from tests.factories import make_trigger
from tests.servers.pgbouncer import pgbouncer
from tests.triggers.due_triggers import make_due_once
from triggers.clocks import ticker
from triggers.clocks.ticker import Ticker
from triggers.clocks.wake import LISTENER_ALIAS

pytestmark = pytest.mark.django_db(transaction=True)

LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


@pytest.fixture
def pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Route new connections through PgBouncer."""
    direct = dict(connection.settings_dict)
    monkeypatch.setattr(pooling, "_has_warned", True)
    with pgbouncer(tmp_path / "pgbouncer") as url:
        connection.close()
        read = read_database("DATABASE_URL", f"{url}?prepare_threshold=none")
        for name in ("HOST", "PORT", "OPTIONS"):
            monkeypatch.setitem(connection.settings_dict, name, read[name])
        yield
        connection.close()
        connection.settings_dict.update(direct)


@pytest.fixture
def clock_url(pooled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set CLOCK_DATABASE_URL to PostgreSQL itself."""
    read = read_database("CLOCK_DATABASE_URL", os.environ["DATABASE_URL"])
    settings = connection.settings_dict | {
        name: read[name] for name in ("HOST", "PORT", "OPTIONS")
    }
    monkeypatch.setitem(connections.settings, LISTENER_ALIAS, settings)


@pytest.fixture
def start(pooled: None) -> Iterator[Callable[[], None]]:
    """Start clocks that stop at the end of the test."""
    started: list[Ticker] = []

    def start_one() -> None:
        started.append(Ticker())
        started[-1].start()

    yield start_one
    for one in started:
        one.stop()
        one.join(10)
        assert not one.is_alive()


def recorded() -> int:
    return Event.objects.filter(type="schedule.due").count()


def listening() -> int:
    with connection.cursor() as cursor:
        cursor.execute(LISTENING)
        return int(cursor.fetchone()[0])


def make_due_soon() -> None:
    at = database_now() + timedelta(seconds=2)
    make_trigger(
        trigger_type="cron",
        schedule_type="once",
        schedule_config={"at": at.isoformat()},
    )


def test_a_pooled_clock_claims_and_does_not_subscribe(
    start: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    make_due_once()
    start()
    assert wait_for(recorded, timeout_seconds=60) == 1

    make_due_once()

    wait_for(lambda: recorded() == 2, timeout_seconds=60)
    assert listening() == 0
    assert caplog.records == []


def test_a_pooled_clock_is_woken_over_its_own_url(
    start: Callable[[], None], clock_url: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "MAX_SLEEP_SECONDS", 3600)
    start()
    wait_for(listening, timeout_seconds=60)

    make_due_soon()

    assert wait_for(recorded, timeout_seconds=60) == 1


def test_a_clock_continues_while_its_own_url_is_unavailable(
    start: Callable[[], None],
    clock_url: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(connections.settings[LISTENER_ALIAS], "HOST", str(tmp_path))
    start()

    make_due_once()

    assert wait_for(recorded, timeout_seconds=60) == 1
