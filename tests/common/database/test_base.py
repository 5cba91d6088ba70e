from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from django.db import Error, close_old_connections, connection

from tests.outages import end_connections, read_only_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _leave_a_fresh_connection() -> Iterator[None]:
    yield
    connection.close()


def write() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_inbox")


def server_connection() -> psycopg.Connection[object]:
    connection.ensure_connection()
    held: psycopg.Connection[object] = connection.connection
    return held


def test_a_healthy_connection_is_kept_without_a_statement() -> None:
    before = server_connection()

    close_old_connections()

    assert connection.connection is before


def test_a_connection_that_the_server_ended_is_replaced_before_it_is_used() -> None:
    server_connection()
    end_connections()

    close_old_connections()

    assert connection.connection is None
    write()


def test_a_signal_handler_does_not_wait_for_the_statement_that_it_interrupts() -> None:
    before = server_connection()
    end_connections()

    with before.lock:  # psycopg holds it during a statement
        close_old_connections()
        assert connection.connection is before

    close_old_connections()
    assert connection.connection is None


def test_a_connection_that_was_opened_read_only_is_replaced_later() -> None:
    with read_only_database():
        connection.close()
        server_connection()

    close_old_connections()

    assert connection.connection is None
    write()


def test_a_connection_that_failed_to_write_is_replaced() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with suppress(Error):
        write()

    close_old_connections()

    write()


def test_a_notice_does_not_cost_the_connection() -> None:
    before = server_connection()
    before.execute("LISTEN tests_notice")
    server = before.info.get_parameters() | {"password": before.info.password}
    with psycopg.connect(**server, autocommit=True) as other:  # type: ignore[arg-type]
        other.execute("NOTIFY tests_notice")

    close_old_connections()

    assert connection.connection is before
