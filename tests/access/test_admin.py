from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from access.models import ApiToken
from access.tokens import create_token, find_token

LIST = reverse("admin:access_apitoken_changelist")
ADD = reverse("admin:access_apitoken_add")

pytestmark = pytest.mark.django_db


@pytest.fixture
def bo(db: None) -> User:
    """A member of staff who may manage tokens, but is not a superuser."""
    user = User.objects.create_user("bo", password="secret", is_staff=True)  # noqa: S106
    may = Permission.objects.filter(codename__endswith="_apitoken")
    user.user_permissions.set(may)
    return user


def test_a_new_token_is_shown_once(client: Client, admin: User) -> None:
    client.force_login(admin)

    page = client.post(ADD, {"user": admin.pk}, follow=True).content.decode()

    [text] = re.findall(r"The token, shown this once: ([0-9a-f]{40})", page)
    found = find_token(text)
    assert found is not None
    assert found.user == admin
    again = client.get(LIST).content.decode()
    assert text not in again
    assert found.prefix in again
    assert found.digest not in again


def test_deleting_a_token_revokes_it(client: Client, admin: User) -> None:
    client.force_login(admin)
    token = create_token(user=admin)

    url = reverse("admin:access_apitoken_delete", args=[token.row.pk])
    client.post(url, {"post": "yes"})

    assert find_token(token.text) is None


def test_a_token_cannot_be_changed(client: Client, admin: User) -> None:
    client.force_login(admin)
    row = create_token(user=admin).row
    url = reverse("admin:access_apitoken_change", args=[row.pk])

    page = client.get(url).content.decode()
    refusal = client.post(url, {"user": admin.pk})

    assert row.prefix in page
    assert row.digest not in page
    assert refusal.status_code == 403


def test_an_inactive_user_gets_no_token(client: Client, admin: User) -> None:
    client.force_login(admin)
    other = User.objects.create_user("cy", is_active=False)

    page = client.post(ADD, {"user": other.pk}).content.decode()

    assert "is inactive, and the API would reject the token" in page
    assert not ApiToken.objects.exists()


def test_only_superusers_manage_the_tokens_of_others(
    client: Client, admin: User, bo: User
) -> None:
    client.force_login(bo)
    foreign = create_token(user=admin).row

    refusal = client.post(ADD, {"user": admin.pk})
    client.post(ADD, {"user": bo.pk})
    client.post(
        reverse("admin:access_apitoken_delete", args=[foreign.pk]), {"post": "yes"}
    )

    assert "Select a valid choice" in refusal.content.decode()
    assert foreign.prefix not in client.get(LIST).content.decode()
    assert [row.user for row in ApiToken.objects.order_by("id")] == [admin, bo]
