"""Headers and compression of pages for people, but not of responses to senders."""

from __future__ import annotations

import gzip

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.factories import make_trigger
from tests.webhooks.deliveries import deliver
from webhooks.endpoints.lifecycle import create_endpoint

pytestmark = pytest.mark.django_db

POLICY = "Content-Security-Policy"
PATHS = [
    "/admin/login/",
    "/api/v1/auth/login/",
    "/api/docs",
    "/api/schema",
    "/api/v1/triggers",
    "/livez",
    "/nowhere",
]


def script_sources(client: Client, path: str) -> str:
    directives = client.get(path)[POLICY].split("; ")
    [sources] = [d for d in directives if d.startswith("script-src ")]
    return sources.removeprefix("script-src ")


@pytest.mark.parametrize("path", PATHS)
def test_every_page_has_a_policy_without_inline_scripts(
    client: Client, path: str
) -> None:
    is_admin = path.startswith("/admin/")

    expected = "'self' 'unsafe-eval'" if is_admin else "'self'"
    assert script_sources(client, path) == expected


@pytest.mark.parametrize("path", PATHS)
def test_no_page_may_be_framed_or_named_to_other_sites(
    client: Client, path: str
) -> None:
    page = client.get(path)

    assert page["X-Frame-Options"] == "DENY"
    assert page["Referrer-Policy"] == "same-origin"
    assert page["X-Content-Type-Options"] == "nosniff"


def test_cookies_and_transport_are_strict_with_https(
    client: Client, admin: User, settings: Settings
) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS = 604_800
    form = {"username": "ana", "password": "secret"}

    answer = Client().post("/admin/login/", form, secure=True)

    assert answer["Strict-Transport-Security"] == "max-age=604800"
    session, csrf = answer.cookies["sessionid"], answer.cookies["csrftoken"]
    assert (session["secure"], csrf["secure"], session["httponly"]) == (True,) * 3
    assert session["samesite"] == "Lax"


def test_pages_of_the_admin_are_compressed(client: Client, admin: User) -> None:
    client.force_login(admin)
    plain = client.get("/admin/")

    packed = client.get("/admin/", headers={"accept-encoding": "gzip"})

    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 3
    assert b"Tickhook" in gzip.decompress(packed.content)


@pytest.mark.parametrize("path", ["/api/v1/triggers", "/api/schema", "/api/docs"])
def test_other_responses_are_not_compressed(
    client: Client, admin: User, path: str
) -> None:
    client.force_login(admin)
    for number in range(3):
        make_trigger(name=f"trigger {number}")

    answer = client.get(path, headers={"accept-encoding": "gzip"})

    assert answer.status_code == 200
    assert "Content-Encoding" not in answer


def test_the_response_to_a_webhook_stays_small() -> None:
    answer = deliver(create_endpoint().endpoint)

    assert (answer.status_code, POLICY in answer) == (200, False)
