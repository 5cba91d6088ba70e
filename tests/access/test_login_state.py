"""What people who manage accounts see of failed logins, and how they allow them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from access.login_state import LoginState, allow_logins, read_login_state
from tests.access.test_logins import (
    _redis as _redis,
)
from tests.access.test_logins import (
    attempt,
    fail_from_many_addresses,
)

SECRET = "secret"  # noqa: S105 - of the fixture `admin`
QUIET = LoginState(failures=0, is_delayed=False, refused_seconds=0)

pytestmark = pytest.mark.django_db
with_redis = pytest.mark.parametrize("_redis", ["with Redis"], indirect=True)
without_redis = pytest.mark.parametrize("_redis", ["without Redis"], indirect=True)


def page_of(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def allow(client: Client, user: User) -> str:
    url = reverse("admin:auth_user_allow_logins", args=[user.pk])
    return client.post(url, follow=True).content.decode()


@with_redis
def test_failures_are_counted_per_name(admin: User) -> None:
    for _ in range(3):
        attempt()
    attempt(SECRET)
    attempt(name="eva")

    assert read_login_state("ana") == LoginState(
        failures=3, is_delayed=False, refused_seconds=0
    )
    assert read_login_state("bo") == QUIET


@with_redis
def test_an_address_that_failed_too_often_is_seen(admin: User) -> None:
    for _ in range(7):
        attempt()

    state = read_login_state("ana")

    assert state is not None
    assert (state.failures, state.is_delayed) == (5, False)
    assert 295 <= state.refused_seconds <= 330


@with_redis
def test_logins_that_are_allowed_again_do_not_wait(admin: User) -> None:
    fail_from_many_addresses(25)
    for _ in range(7):
        attempt(address="203.0.113.2")
    before = read_login_state("ana")

    assert allow_logins("ana")

    assert before is not None
    assert before.is_delayed
    assert read_login_state("ana") == QUIET
    assert attempt(SECRET) == "in"
    assert attempt(SECRET, address="203.0.113.2") == "in"


@with_redis
def test_a_name_is_looked_up_as_it_is_counted(admin: User) -> None:
    attempt(name="ﬁona")

    state = read_login_state("fiona")

    assert state is not None
    assert state.failures == 1


@without_redis
def test_the_state_is_unknown_without_redis(admin: User) -> None:
    attempt()

    assert read_login_state("ana") is None
    assert not allow_logins("ana")


@with_redis
def test_an_admin_sees_failed_logins_and_allows_them(
    client: Client, admin: User, caplog: pytest.LogCaptureFixture
) -> None:
    client.force_login(admin)
    for _ in range(6):
        attempt()
    before = client.get(page_of(admin)).content.decode()

    with caplog.at_level("INFO", "access"):
        after = allow(client, admin)

    assert "Failed logins in the last 5 minutes: 5." in before
    assert "At least one address must wait for" in before
    assert "Failed logins in the last 5 minutes: 0." in after
    assert "Logins do not wait." in after
    line = f"Logins of user {admin.pk} allowed again by user {admin.pk}"
    assert line in caplog.messages
    assert attempt(SECRET) == "in"


@without_redis
def test_the_page_of_a_user_says_that_redis_does_not_answer(
    client: Client, admin: User
) -> None:
    client.force_login(admin)

    page, after = client.get(page_of(admin)).content.decode(), allow(client, admin)

    assert "unknown, because Redis does not answer" in page
    assert "Redis does not answer. Try again later." in after


@with_redis
def test_only_people_who_manage_accounts_see_and_allow_logins(
    client: Client, admin: User
) -> None:
    bo = User.objects.create_user("bo", is_staff=True)
    bo.user_permissions.set(Permission.objects.filter(codename="view_user"))
    client.force_login(bo)
    for _ in range(5):
        attempt()

    page = client.get(page_of(admin)).content.decode()
    url = reverse("admin:auth_user_allow_logins", args=[admin.pk])

    assert "Failed logins" not in page
    assert client.post(url).status_code == 403
    assert attempt(SECRET) == "throttled"


@with_redis
def test_logins_are_not_allowed_by_get_or_without_a_csrf_token(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    url = reverse("admin:auth_user_allow_logins", args=[admin.pk])
    attempt()

    assert [client.get(url).status_code, client.post(url).status_code] == [405, 403]
    assert read_login_state("ana") != QUIET
