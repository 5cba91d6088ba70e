"""Connections through a real PgBouncer: which are rejected, and which work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from common import pooling
from common.pooling import StatementsMixedUp, is_direct
from config.env import read_database
from tests.servers.pgbouncer import pgbouncer

pytestmark = pytest.mark.django_db(transaction=True)

NO_STATEMENTS = "?prepare_threshold=none"
IDLE = f"SHOW {pooling.IDLE_SETTING}"


@contextmanager
def opened(url: str) -> Iterator[BaseDatabaseWrapper]:
    """Yield an open Django connection for a URL, with the settings of the product."""
    made = connections.create_connection("default")
    settings = {**made.settings_dict, **read_database("DATABASE_URL", url)}
    made.settings_dict = settings
    with closing(made):
        made.ensure_connection()
        yield made


def ask(connection: BaseDatabaseWrapper, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("round_robin", [False, True])
def test_transaction_pooling_with_prepared_statements_is_rejected(
    tmp_path: Path, round_robin: bool
) -> None:
    with (
        pgbouncer(tmp_path / "pgbouncer", round_robin=round_robin) as url,
        pytest.raises(ImproperlyConfigured) as caught,
        opened(url),
    ):
        pass

    assert str(caught.value).startswith("DATABASE_URL leads to a pooler")
    assert "?prepare_threshold=none" in str(caught.value)


def test_a_busy_pool_is_rejected(tmp_path: Path) -> None:
    stopped = threading.Event()

    def keep_busy(url: str) -> None:
        with opened(url + NO_STATEMENTS) as other:
            while not stopped.is_set():
                ask(other, "SELECT 1")

    with pgbouncer(tmp_path / "pgbouncer") as url:
        threads = [threading.Thread(target=keep_busy, args=[url]) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                with pytest.raises(StatementsMixedUp), opened(url):
                    pass
        finally:
            stopped.set()
            for thread in threads:
                thread.join()


def test_transaction_pooling_without_prepared_statements_works(tmp_path: Path) -> None:
    with pgbouncer(tmp_path / "pgbouncer") as url, opened(url + NO_STATEMENTS) as made:
        assert not is_direct(made)
        assert {ask(made, "SELECT 1") for _ in range(20)} == {1}
        # The limit of one client must not become the limit of others.
        assert ask(made, IDLE) == "5min"  # the server's own


def test_a_pooler_that_renames_statements_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PgBouncer 1.21 and newer do: on the server a statement has another name.
    monkeypatch.setattr(pooling, "_SEEN", "SELECT %s = ''")

    with pgbouncer(tmp_path / "pgbouncer") as url, opened(url) as made:
        assert made.connection.prepare_threshold == 5


def test_session_pooling_with_prepared_statements_is_accepted(tmp_path: Path) -> None:
    with pgbouncer(tmp_path / "pgbouncer", mode="session") as url, opened(url) as made:
        assert not is_direct(made)
        assert {ask(made, "SELECT 1") for _ in range(20)} == {1}


def test_a_direct_session_ends_idle_transactions() -> None:
    connection.close()

    connection.ensure_connection()

    assert is_direct(connection)
    assert ask(connection, IDLE) == "30s"


def test_a_limit_in_the_url_has_priority() -> None:
    url = f"{os.environ['DATABASE_URL']}?options=-c%20{pooling.IDLE_SETTING}%3D7s"

    with opened(url) as made:
        assert ask(made, IDLE) == "7s"


def test_the_logged_statement_gives_a_pooled_role_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pooling, "_has_warned", False)
    with pgbouncer(tmp_path / "pgbouncer") as url:
        for _ in range(2):
            with opened(url + NO_STATEMENTS):
                pass

    [record] = caplog.records
    statement = record.getMessage().partition("Run once: ")[2]
    assert statement.startswith('ALTER ROLE "tickhook" IN DATABASE "tickhook" SET ')
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as direct:
        direct.execute(statement.encode())
        with pgbouncer(tmp_path / "pgbouncer") as url:  # noqa: SIM117 - reads in order
            with opened(url + NO_STATEMENTS) as made:
                assert ask(made, IDLE) == "30s"
        direct.execute("ALTER ROLE tickhook IN DATABASE tickhook RESET ALL")
