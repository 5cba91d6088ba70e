from __future__ import annotations

import pytest
from django.db import connection
from rest_framework.test import APIClient

from common import snapshots
from common.snapshots import find_snapshot_holder
from tests.snapshots import held_snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def use_transaction_ids(count: int) -> None:
    with connection.cursor() as cursor:
        for _ in range(count):
            cursor.execute("SELECT pg_current_xact_id()")


def test_a_young_snapshot_is_not_reported() -> None:
    with held_snapshot():
        assert find_snapshot_holder() is None


def test_an_old_snapshot_is_reported_with_its_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshots, "WARN_AFTER_SECONDS", -1)
    with held_snapshot() as pid:
        use_transaction_ids(3)

        found = find_snapshot_holder()

    assert found is not None
    assert found.holder == f"session {pid}"
    assert (found.user, found.state) == (
        connection.get_connection_params()["user"],
        "idle in transaction",
    )
    assert found.xids >= 3
    assert found.seconds is not None


def test_a_snapshot_is_old_after_many_transactions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with held_snapshot():
        use_transaction_ids(3)
        assert find_snapshot_holder() is None

        monkeypatch.setattr(snapshots, "WARN_AFTER_XIDS", 2)
        assert find_snapshot_holder() is not None

    assert find_snapshot_holder() is None


def test_the_oldest_of_several_holders_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshots, "WARN_AFTER_SECONDS", -1)
    with held_snapshot() as oldest:
        use_transaction_ids(1)
        with held_snapshot():
            found = find_snapshot_holder()

    assert found is not None
    assert found.holder == f"session {oldest}"


def test_health_shows_the_holder(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "WARN_AFTER_SECONDS", -1)
    with held_snapshot() as pid:
        holder = api.get("/api/v1/triggers/health").json()["snapshot_holder"]

    assert holder == {
        "holder": f"session {pid}",
        "user": holder["user"],
        "state": "idle in transaction",
        "seconds": holder["seconds"],
        "xids": holder["xids"],
    }
