from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import DataError, OperationalError, connection

from common.tasks import left_to_the_sweep
from executions.tasks import drain_inbox, purge_history, start_waiting
from tests.factories import make_listener, record
from tests.outages import closed_database, read_only_database
from triggers.tasks import claim_due
from webhooks.pending_fetches import run_pending_fetches_task

HINTS: list[Callable[[], object]] = [
    drain_inbox,
    claim_due,
    run_pending_fetches_task,
    purge_history,
    lambda: start_waiting(["0190d2c4-0000-7000-8000-000000000001"]),
]


@pytest.fixture(autouse=True)
def _leave_a_fresh_connection() -> Iterator[None]:
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("outage", [read_only_database, closed_database])
def test_hints_raise_nothing_without_a_database(
    outage: type, caplog: pytest.LogCaptureFixture
) -> None:
    make_listener()
    record()

    with outage():
        for hint in HINTS:
            connection.close()
            hint()

    assert [line for line in caplog.records if line.exc_info] == []
    assert "drain_inbox is left to the sweep" in caplog.text


def test_other_errors_are_raised() -> None:
    with pytest.raises(DataError), left_to_the_sweep("a task"):
        raise DataError("ours")

    with left_to_the_sweep("a task"):
        raise OperationalError("gone")
