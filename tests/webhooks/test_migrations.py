"""The migration of uploaded types, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.tables import migrate_to_latest

# Some migrations that depend on these make indexes outside of a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = "0003_drop_endpoint_limits", "0004_uploaded_types"
DOCUMENT = {"slug": "shop", "name": "Shop"}


def migrate(name: str) -> Any:
    """Run the migrations of webhooks up to this one; return its models."""
    target = [("webhooks", name)]
    MigrationExecutor(connection).migrate(target)
    return MigrationExecutor(connection).loader.project_state(target).apps


@pytest.fixture(autouse=True)
def _migrated_again(transactional_db: None) -> Iterator[None]:
    yield
    connection.cursor().execute("DELETE FROM webhooks_webhooktype")
    migrate_to_latest()


def test_an_existing_type_becomes_the_first_version() -> None:
    old = migrate(BEFORE).get_model("webhooks", "WebhookType")
    old.objects.create(slug="shop", definition=DOCUMENT, version=3)

    kept = migrate(AFTER).get_model("webhooks", "WebhookTypeVersion").objects.get()

    assert (kept.slug, kept.version, kept.document) == ("shop", 3, DOCUMENT)


def test_the_reverse_migration_keeps_the_current_version() -> None:
    apps = migrate(AFTER)
    version = apps.get_model("webhooks", "WebhookTypeVersion").objects.create(
        slug="shop", version=3, document=DOCUMENT
    )
    apps.get_model("webhooks", "WebhookType").objects.create(
        slug="shop", current=version
    )
    connection.check_constraints()

    row = migrate(BEFORE).get_model("webhooks", "WebhookType").objects.get()

    assert (row.slug, row.version, row.definition) == ("shop", 3, DOCUMENT)
