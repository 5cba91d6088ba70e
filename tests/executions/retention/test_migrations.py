"""The upgrade of an installation that had no purge."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from executions.models import Retention
from tests.executions.retention.old import make_event
from tests.tables import migrate_to_latest

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = ("executions", "0006_retention")
NOTED = ("executions", "0007_retention_of_upgrades")


@pytest.fixture(autouse=True)
def _latest() -> Any:
    """Migrate to the latest version again, also after a failure."""
    yield
    migrate_to_latest()
    Retention.objects.all().delete()


def upgrade() -> None:
    for target in (BEFORE, NOTED):
        MigrationExecutor(connection).migrate([target])


def test_an_installation_with_history_stores_the_time_of_its_upgrade() -> None:
    make_event(days=1)

    upgrade()

    assert Retention.objects.get().upgraded_at is not None


def test_a_new_installation_stores_no_upgrade() -> None:
    upgrade()

    assert not Retention.objects.exists()
