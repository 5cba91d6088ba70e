"""The lines of the log about logins: with ids, and never a name or a password."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from access.logins import refusals

HERE = "203.0.113.1"
LOGIN = reverse("admin:login")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_refusals_of_others() -> Iterator[None]:
    refusals.forget()
    yield
    refusals.forget()


def log_in(name: str, password: str) -> Client:
    client = Client(REMOTE_ADDR=HERE)
    client.post(LOGIN, {"username": name, "password": password})
    return client


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("access")
    ]


def test_a_login_and_a_logout_are_logged(
    admin: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "access"):
        log_in("ana", "secret").post(reverse("admin:logout"))

    assert logged(caplog) == [
        ("INFO", f"Login: user {admin.pk} from {HERE}"),
        ("INFO", f"Logout: user {admin.pk} from {HERE}"),
    ]


def test_a_failed_login_is_logged_without_its_name(
    admin: User, caplog: pytest.LogCaptureFixture
) -> None:
    log_in("ana", "wrong-password")
    log_in("my-password-by-mistake", "wrong-password")

    assert logged(caplog) == [
        ("WARNING", f"Failed login: user {admin.pk} from {HERE}"),
        ("WARNING", f"Failed login: unknown name from {HERE}"),
    ]


def test_throttled_logins_are_one_line_a_minute(
    admin: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5 + 8):
        log_in("ana", "wrong")
    monkeypatch.setattr(refusals, "_silent_until", 0.0)  # a minute later
    for _ in range(3):
        log_in("ana", "wrong")

    refused = [text for _, text in logged(caplog) if "refused" in text]
    who = f"user {admin.pk} from {HERE}"
    assert refused == [
        f"Logins refused without a check: 1, the last of {who}",
        f"Logins refused without a check: 8, the last of {who}",
    ]
