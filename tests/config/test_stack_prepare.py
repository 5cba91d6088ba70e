from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from access.models import ApiToken
from access.tokens import create_token, find_token
from config.stack.prepare import _ensure_admin

PASSWORD = "made-by-the-stack"  # noqa: S105 - of a throw-away database

pytestmark = pytest.mark.django_db


def prepare(token: str = "") -> str:
    """Make the account as `make up` does; return the API token that it notes."""
    noted = _ensure_admin(PASSWORD, token)["api_token"]
    assert noted is not None
    return noted


def test_the_token_of_the_last_start_is_kept() -> None:
    first = prepare()

    assert prepare(first) == first
    assert ApiToken.objects.count() == 1


def test_a_token_that_was_lost_or_revoked_is_replaced() -> None:
    first = prepare()

    second = prepare()
    ApiToken.objects.all().delete()
    third = prepare(second)

    assert len({first, second, third}) == 3
    found = find_token(third)
    assert found is not None
    assert found.user.get_username() == "admin"


def test_a_token_of_another_user_is_replaced(admin: User) -> None:
    foreign = create_token(user=admin).text

    assert prepare(foreign) != foreign


def test_an_inactive_account_gets_no_token() -> None:
    prepare()
    User.objects.update(is_active=False)

    assert _ensure_admin(PASSWORD, "")["api_token"] is None
