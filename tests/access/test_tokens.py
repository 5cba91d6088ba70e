from __future__ import annotations

import hashlib

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from access.models import ApiToken
from access.tokens import create_token

URL = "/api/v1/agents"

pytestmark = pytest.mark.django_db


def ask(authorization: str) -> tuple[int, str]:
    client = APIClient()
    answer = client.get(URL, headers={"Authorization": authorization})
    return answer.status_code, answer.json().get("detail", "")


def test_a_token_gives_the_rights_of_its_user(admin: User) -> None:
    token = create_token(user=admin).text

    assert ask(f"Token {token}")[0] == 200


def test_only_the_digest_and_a_prefix_are_stored(admin: User) -> None:
    token = create_token(user=admin)

    row = ApiToken.objects.get()
    assert row.digest == hashlib.sha256(token.text.encode()).hexdigest()
    assert (len(token.text), row.prefix) == (40, token.text[:8])
    assert str(row) == f"{token.text[:8]}…"


def test_a_user_can_have_several_tokens(admin: User) -> None:
    first, second = create_token(user=admin), create_token(user=admin)

    first.row.delete()

    assert ask(f"Token {first.text}")[0] == 401
    assert ask(f"Token {second.text}")[0] == 200


@pytest.mark.parametrize(
    "text", ["0" * 40, "", "a b", "\u00e4", "0" * 10_000, "'; SELECT 1"]
)
def test_another_text_is_rejected(admin: User, text: str) -> None:
    create_token(user=admin)

    assert ask(f"Token {text}")[0] == 401


def test_neither_the_digest_nor_the_prefix_is_a_token(admin: User) -> None:
    row = create_token(user=admin).row

    refusal = (401, "The API token is not valid")
    assert ask(f"Token {row.digest}") == refusal
    assert ask(f"Token {row.prefix}") == refusal


def test_the_token_of_an_inactive_user_is_rejected(admin: User) -> None:
    token = create_token(user=admin).text
    admin.is_active = False
    admin.save(update_fields=["is_active"])

    assert ask(f"Token {token}") == (401, "The user of this API token is inactive")


def test_a_token_is_found_with_its_user_in_one_query(admin: User) -> None:
    token = create_token(user=admin).text

    with CaptureQueriesContext(
        connection,
    ) as queries:
        ask(f"Token {token}")

    about_users = [q for q in queries if "auth_user" in q["sql"]]
    assert len(about_users) == 1
    assert "access_apitoken" in about_users[0]["sql"]
    assert token not in about_users[0]["sql"]
