"""Migrating events of an older version, and reversing the migrations."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from common.ids import uuid7
from tests.tables import migrate_to_latest

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = "0005_deliveries_and_replays"
COPIED = "0007_copy_event_keys"
DROPPED = "0008_drop_event_dedupe_key"


@pytest.fixture(autouse=True)
def _latest() -> Any:
    """Migrate to the latest version again, also after a failure."""
    yield
    migrate_to_latest()


def migrate(name: str) -> Any:
    """Migrate to a migration of events; return its models."""
    target = [("events", name)]
    MigrationExecutor(connection).migrate(target)
    return MigrationExecutor(connection).loader.project_state(target).apps


def add_event(apps: Any, **fields: object) -> Any:
    return apps.get_model("events", "Event").objects.create(
        type="invoice.paid",
        source="emit",
        body=b"{}",
        body_size=2,
        received_at=timezone.now(),
        correlation_id=uuid7(),
        **fields,
    )


def test_waiting_events_get_their_body_size(monkeypatch: pytest.MonkeyPatch) -> None:
    old = migrate("0009_inbox_body_size")
    waiting = [add_event(old).pk for _ in range(5)]
    for event_id in waiting:
        old.get_model("events", "Inbox").objects.create(event_id=event_id, deaths=0)
    module = "events.migrations.0010_fill_inbox_body_size"
    monkeypatch.setattr(f"{module}.BATCH", 2)

    inbox = migrate("0011_inbox_order").get_model("events", "Inbox").objects

    assert set(inbox.values_list("event_id", "body_size")) == {
        (event_id, 2) for event_id in waiting
    }


def keys(apps: Any) -> set[tuple[Any, Any]]:
    rows = apps.get_model("events", "EventKey").objects
    return set(rows.values_list("dedupe_key", "event_id"))


def test_keys_are_copied_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    old = migrate(BEFORE)
    stored = set()
    for number in range(5):
        key = uuid7() if number % 2 else None
        event = add_event(old, dedupe_key=key)
        if key:
            stored.add((key, event.pk))
    module = "events.migrations.0007_copy_event_keys"
    monkeypatch.setattr(f"{module}.BATCH", 2)

    assert keys(migrate(DROPPED)) == stored


def test_keys_written_by_old_code_after_the_copy_are_not_lost() -> None:
    migrate(BEFORE)
    apps = migrate(COPIED)
    key = uuid7()
    late = add_event(apps, dedupe_key=key)

    assert keys(migrate(DROPPED)) == {(key, late.pk)}


def test_the_reverse_migration_restores_the_keys_of_events() -> None:
    apps = migrate(DROPPED)
    old = migrate(COPIED)
    key = uuid7()
    event = add_event(old)
    apps.get_model("events", "EventKey").objects.create(
        dedupe_key=key, event_id=event.pk
    )

    again = migrate(BEFORE).get_model("events", "Event").objects.get()

    assert again.dedupe_key == key
