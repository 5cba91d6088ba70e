"""The limits on failed logins, for every form that takes a password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from pytest_django import Settings

from access import login_limits
from access.login_limits import LoginThrottled, delays, process_windows
from common import rate_limits
from common import redis as common_redis
from tests.acceptance.waiting import wait_for
from tests.races import race

pytestmark = pytest.mark.django_db

LOGINS = ["/admin/login/", "/api/v1/auth/login/"]
HERE = "203.0.113.1"
SECRET = "secret"  # noqa: S105 - of the fixture `admin`


@pytest.fixture(autouse=True)
def _no_counts_of_others() -> Iterator[None]:
    process_windows.forget()
    delays.forget()
    yield
    process_windows.forget()
    delays.forget()


@pytest.fixture(params=["with Redis", "without Redis"], autouse=True)
def _redis(
    request: pytest.FixtureRequest,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[None]:
    """Run each test with the shared counts and with those of the process."""
    if request.param == "without Redis":
        settings.REDIS_URL = f"unix://{tmp_path}/no.sock"
    # On a busy machine Redis must not seem unavailable.
    for module in (rate_limits, common_redis):
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 30)
    use_new_connections()
    yield
    use_new_connections()


def use_new_connections() -> None:
    vars(rate_limits._thread).clear()
    common_redis._client.cache_clear()
    rate_limits.breaker.close()
    common_redis.breaker.close()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names whose passwords were checked."""
    names: list[str] = []
    authenticate = ModelBackend.authenticate

    def watched(
        self: ModelBackend, request: Any, username: str, password: str
    ) -> User | None:
        names.append(username)
        return authenticate(self, request, username, password)

    monkeypatch.setattr(ModelBackend, "authenticate", watched)
    return names


def attempt(
    password: str = "wrong",  # noqa: S107 - of nothing
    *,
    name: str = "ana",
    address: str = HERE,
) -> str:
    """Try a password as a form does."""
    request = RequestFactory().post("/admin/login/", REMOTE_ADDR=address)
    try:
        user = authenticate(request, username=name, password=password)
    except LoginThrottled as error:
        return "soon" if error.retry_after_seconds <= 5 else "throttled"
    return "wrong" if user is None else "in"


def fail_from_many_addresses(count: int) -> list[str]:
    return [attempt(address=f"198.51.100.{n}") for n in range(count)]


@pytest.mark.parametrize("path", LOGINS)
def test_the_sixth_failure_of_a_name_from_an_address_is_rejected_unhashed(
    admin: User, hashed: list[str], path: str
) -> None:
    client = Client(REMOTE_ADDR=HERE)
    wrong = {"username": "ana", "password": "wrong"}

    answers = [client.post(path, wrong) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert hashed == ["ana"] * 5
    refusal = answers[-1]
    assert 295 <= int(refusal["Retry-After"]) <= 330
    page = refusal.content.decode()
    assert f"Try again in {refusal['Retry-After']} seconds" in page
    assert f'href="{path}"' in page


def test_a_throttled_login_is_rejected_with_the_right_password(admin: User) -> None:
    for _ in range(5):
        attempt()

    assert attempt(SECRET) == "throttled"


def test_other_names_and_other_addresses_are_not_rejected(admin: User) -> None:
    for _ in range(6):
        attempt()

    assert attempt(SECRET, address="203.0.113.2") == "in"
    assert attempt(name="eva") == "wrong"


def test_a_right_password_is_not_counted(admin: User) -> None:
    assert [attempt(SECRET) for _ in range(8)] == ["in"] * 8
    assert [attempt() for _ in range(5)] == ["wrong"] * 5


def test_an_address_can_fail_fifty_times(admin: User) -> None:
    outcomes = [attempt(name=f"name-{n}") for n in range(52)]

    assert outcomes == ["wrong"] * 50 + ["throttled"] * 2
    assert attempt(SECRET, address="203.0.113.2") == "in"


def test_an_ipv6_network_is_one_address(admin: User) -> None:
    outcomes = [attempt(address=f"2001:db8::{n}") for n in range(1, 7)]

    assert outcomes == ["wrong"] * 5 + ["throttled"]
    assert attempt(address="2001:db8:0:1::1") == "wrong"


def test_a_name_that_many_addresses_try_is_delayed(
    admin: User, hashed: list[str]
) -> None:
    assert fail_from_many_addresses(22) == ["wrong"] * 20 + ["soon"] * 2

    assert attempt(SECRET) == "soon"
    assert len(hashed) == 20


@pytest.fixture
def _delays_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_limits, "_random_delay", lambda: 1)


@pytest.mark.usefixtures("_delays_of_a_second")
def test_a_caller_that_waited_logs_in_however_many_others_try(admin: User) -> None:
    fail_from_many_addresses(21)

    def is_in() -> bool:
        fail_from_many_addresses(5)
        return attempt(SECRET) == "in"

    assert not is_in()
    wait_for(is_in, timeout_seconds=20)


@pytest.mark.usefixtures("_delays_of_a_second")
def test_a_delay_allows_one_attempt(admin: User) -> None:
    fail_from_many_addresses(21)

    wait_for(lambda: attempt() == "wrong", timeout_seconds=20)

    assert attempt() == "soon"


def test_redis_contains_no_readable_name(admin: User) -> None:
    attempt(name="someone-secret")

    def keys(client: Any) -> list[bytes]:
        return list(client.scan_iter())

    assert b"someone-secret" not in b" ".join(
        common_redis.ask_redis(keys, otherwise=[])
    )


@pytest.mark.django_db(transaction=True)
def test_simultaneous_attempts_do_not_exceed_the_limit(admin: User) -> None:
    outcomes = race(attempt)

    assert sorted(outcomes) == ["throttled"] * 3 + ["wrong"] * 5


def test_a_login_without_an_http_request_is_not_counted(admin: User) -> None:
    tried = [authenticate(username="ana", password="wrong") for _ in range(8)]  # noqa: S106

    assert tried == [None] * 8
