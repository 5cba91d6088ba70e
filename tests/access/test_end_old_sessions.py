from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

pytestmark = pytest.mark.django_db


def test_the_sessions_of_the_earlier_version_are_deleted() -> None:
    module = import_module("access.migrations.0005_end_old_sessions")
    Session.objects.create(session_key="old", expire_date=timezone.now())
    migration = module.Migration("0005_end_old_sessions", "access")

    with connection.schema_editor(atomic=False) as editor:
        for operation in migration.operations:
            operation.database_forwards("access", editor, apps, apps)

    assert not Session.objects.exists()
