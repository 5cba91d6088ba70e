from __future__ import annotations

import psycopg
import pytest
from django.db import (
    DatabaseError,
    Error,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)

from common.database import errors
from common.database.errors import (
    DatabaseAway,
    drop_connection,
    error_kind,
    is_unavailable,
    sqlstate,
)
from tests.outages import closed_database, end_connections, read_only_database

pytestmark = pytest.mark.django_db(transaction=True)


def raised_with(state: str) -> Error:
    """Make the server raise an error with a SQLSTATE, and return it."""
    with pytest.raises(Error) as raised, connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE 'a row' USING ERRCODE = '{state}'; END $$")
    return raised.value


@pytest.mark.parametrize(
    "state",
    [
        *("08006", "25006", "25P03", "40001", "40P01", "53100", "53200", "53300"),
        *("55P03", "57014", "57P01", "57P02", "57P03", "58030"),
    ],
)
def test_sqlstates_of_the_server_mean_unavailable(state: str) -> None:
    error = raised_with(state)

    assert is_unavailable(error)
    assert sqlstate(error) == state
    assert error_kind(error).endswith(f" (SQLSTATE {state})")


@pytest.mark.parametrize(
    "state", ["22001", "23505", "25P02", "42P01", "42501", "54000", "XX000"]
)
def test_errors_of_data_and_code_do_not_mean_unavailable(state: str) -> None:
    assert not is_unavailable(raised_with(state))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("gone"), True),
        (InterfaceError("closed"), True),
        (psycopg.OperationalError("gone"), True),
        (psycopg.DatabaseError("the answer broke off"), True),
        (DatabaseAway(), True),
        (DatabaseError("Save with update_fields did not affect any rows."), False),
        (ProgrammingError("no state"), False),
        (psycopg.DataError("no state"), False),
        (RuntimeError("gone"), False),
    ],
)
def test_without_a_sqlstate_the_class_decides(error: Exception, expected: bool) -> None:
    assert is_unavailable(error) is expected


def test_a_broken_connection_means_unavailable() -> None:
    connection.ensure_connection()
    end_connections()

    with pytest.raises(Error) as raised, connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert is_unavailable(raised.value)
    connection.close()


def test_a_server_that_rejects_connections_is_unavailable() -> None:
    connection.close()

    with closed_database(), pytest.raises(Error) as raised:
        connection.ensure_connection()

    assert is_unavailable(raised.value)


def test_a_read_only_server_is_unavailable_for_writes() -> None:
    with read_only_database():
        connection.close()
        with pytest.raises(Error) as raised, connection.cursor() as cursor:
            cursor.execute("DELETE FROM events_inbox")

    assert is_unavailable(raised.value)
    connection.close()


def test_many_failed_requests_are_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = errors._OutageLog()

    for _ in range(100):
        log.record(OperationalError("at 10.0.0.7"))

    [record] = caplog.records
    assert record.getMessage().startswith("Database unavailable: OperationalError;")


def test_a_dropped_connection_is_replaced_but_not_within_a_transaction() -> None:
    with transaction.atomic():
        drop_connection()
        assert connection.connection is not None

    drop_connection()

    assert connection.connection is None
