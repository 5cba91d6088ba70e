from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from access.models import ApiToken
from access.tokens import create_token

MIGRATION = import_module("access.migrations.0002_convert_tokens")
KEY = "0123456789abcdef0123456789abcdef01234567"
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def old_token(admin: User) -> str:
    """A token as rest_framework.authtoken stored it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE authtoken_token (key varchar(40) PRIMARY KEY, "
            "created timestamptz NOT NULL, "
            "user_id integer NOT NULL UNIQUE REFERENCES auth_user "
            "DEFERRABLE INITIALLY DEFERRED)"
        )
        cursor.execute(
            "INSERT INTO authtoken_token VALUES (%s, %s, %s)", [KEY, CREATED, admin.pk]
        )
    return KEY


def convert() -> None:
    with connection.schema_editor() as editor:
        MIGRATION.convert(apps, editor)


def test_a_token_of_an_older_version_stays_valid(old_token: str, admin: User) -> None:
    convert()

    headers = {"Authorization": f"Token {old_token}"}
    answer = APIClient().get("/api/v1/agents", headers=headers)
    assert answer.status_code == 200
    row = ApiToken.objects.get()
    assert (row.user, row.prefix, row.created_at) == (admin, KEY[:8], CREATED)


def test_no_plain_token_is_left(old_token: str) -> None:
    convert()
    convert()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM authtoken_token")
        assert cursor.fetchone() == (0,)
    assert ApiToken.objects.count() == 1


def test_a_new_database_has_nothing_to_convert(admin: User) -> None:
    token = create_token(user=admin)

    convert()

    assert ApiToken.objects.get() == token.row
