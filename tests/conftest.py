from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from common.redis import ask_redis


@pytest.fixture(autouse=True)
def _empty_redis(request: pytest.FixtureRequest) -> None:
    """Let no nudge and no message of one test reach the next."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        ask_redis(lambda r: bool(r.flushall()), otherwise=False)


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("ana", "ana@example.test", "secret")


@pytest.fixture
def api(admin: User) -> Iterator[APIClient]:
    """A client of the API with every right."""
    client = APIClient()
    client.force_authenticate(admin)
    yield client
