from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from access.models import ApiToken
from access.tokens import find_token

pytestmark = pytest.mark.django_db


def create_api_token(name: str) -> str:
    output = StringIO()
    call_command("create_api_token", name, stdout=output)
    return output.getvalue()


def test_the_command_prints_only_the_token(admin: User) -> None:
    printed = create_api_token("ana")

    found = find_token(printed.rstrip("\n"))
    assert found is not None
    assert found.user == admin
    assert len(printed) == 41


def test_the_error_for_an_unknown_user_says_what_to_do() -> None:
    with pytest.raises(CommandError) as refusal:
        create_api_token("bo")

    assert str(refusal.value) == (
        "There is no user 'bo'. Add one in the admin under Users, or with "
        "`manage.py createsuperuser`."
    )


def test_an_inactive_user_gets_no_token(admin: User) -> None:
    User.objects.update(is_active=False)

    with pytest.raises(CommandError) as refusal:
        create_api_token("ana")

    assert str(refusal.value) == (
        "The user 'ana' is inactive, and the API would reject the token. "
        "Set Active on the user's page in the admin first."
    )
    assert not ApiToken.objects.exists()
