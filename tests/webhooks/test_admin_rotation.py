"""Buttons of an endpoint's page that replace the secret or the URL."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from agents.models import Agent
from tests.factories import make_trigger
from tests.triggers.test_api_permissions import group, restricted
from tests.webhooks.deliveries import deliver
from webhooks.endpoints.rotation import rotate_secret
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint

__all__ = ["group", "restricted"]

pytestmark = pytest.mark.django_db

SECRET, SECOND = "the first secret, long enough", "the second secret, as long"
ACTS = ("rotate", "revoke", "new_url")


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    webhook = {"type_slug": "github", "config": {"secret": SECRET}}
    made = make_trigger(trigger_type="webhook", webhook=webhook).endpoint
    assert made is not None
    return made


def page_of(endpoint: WebhookEndpoint) -> str:
    return reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])


def act_on(endpoint: WebhookEndpoint, act: str) -> str:
    return reverse(f"admin:webhooks_webhookendpoint_{act}", args=[endpoint.pk])


def press(pages: Client, endpoint: WebhookEndpoint, act: str, **fields: object) -> str:
    """Submit the form of a dialog; return the next page."""
    sent = {"_form_submitted": "True", **fields}
    response = pages.post(act_on(endpoint, act), sent)
    assert response.headers["HX-Redirect"] == page_of(endpoint)
    endpoint.refresh_from_db()
    return pages.get(page_of(endpoint)).content.decode()


def test_a_generated_secret_is_shown_once_and_never_in_the_history(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    page = press(pages, endpoint, "rotate", secret="", keep_hours=24)

    made, previous = live_secrets(endpoint)
    assert previous == SECRET
    assert "Secret, shown this once" in page
    assert made in page
    assertNotContains(pages.get(page_of(endpoint)), made)
    history = reverse("admin:webhooks_webhookendpoint_history", args=[endpoint.pk])
    assertContains(pages.get(history), "secret rotated")
    assertNotContains(pages.get(history), made)
    assert made not in str(list(LogEntry.objects.values()))


def test_a_given_secret_can_end_the_current_one_at_once(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    press(pages, endpoint, "rotate", secret=SECOND, keep_hours=0)

    assert live_secrets(endpoint) == [SECOND]


def test_the_page_shows_the_dates_of_secrets(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)

    page = pages.get(page_of(endpoint))

    day = r'<time datetime="[^"]+Z" data-t="full">[^<]+</time>'
    dates = f"current secret, since {day}<br>previous secret, since {day}, until {day}"
    assert re.search(dates, page.content.decode())
    assertNotContains(page, SECRET)


def test_a_secret_is_revoked(pages: Client, endpoint: WebhookEndpoint) -> None:
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)

    page = press(pages, endpoint, "revoke", which="previous")

    assert live_secrets(endpoint) == [SECOND]
    assert "The previous secret is revoked." in page


def test_an_error_of_the_service_is_shown(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    page = press(pages, endpoint, "revoke", which="current")

    assert "This is the only secret" in page
    assert live_secrets(endpoint) == [SECRET]
    assert not LogEntry.objects.exists()


def test_the_old_url_is_unknown_after_a_new_one(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    old = WebhookEndpoint(webhook_id=endpoint.webhook_id)

    page = press(pages, endpoint, "new_url")

    assert f"http://testserver/webhooks/{endpoint.webhook_id}" in page
    assert deliver(old).status_code == 404
    assert live_secrets(endpoint) == [SECRET]


def test_a_new_url_with_a_new_secret(pages: Client, endpoint: WebhookEndpoint) -> None:
    page = press(pages, endpoint, "new_url", rotate_secret=True)

    [made] = live_secrets(endpoint)
    assert made != SECRET
    assert made in page


@pytest.mark.parametrize("act", ACTS)
def test_opening_a_dialog_changes_nothing(
    pages: Client, endpoint: WebhookEndpoint, act: str
) -> None:
    before = WebhookEndpoint.objects.values().get()

    response = pages.get(act_on(endpoint, act))

    assertContains(response, "This concerns every trigger that it serves.")
    assert WebhookEndpoint.objects.values().get() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_request_without_the_csrf_token_is_refused(
    admin: User, endpoint: WebhookEndpoint, act: str
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin)
    before = WebhookEndpoint.objects.values().get()

    response = strict.post(act_on(endpoint, act), {"_form_submitted": "True"})

    assert response.status_code == 403
    assert WebhookEndpoint.objects.values().get() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_user_without_permission_has_no_buttons(
    client: Client, endpoint: WebhookEndpoint, restricted: Agent, act: str
) -> None:
    make_trigger(trigger_type="webhook", endpoint=endpoint, agent=restricted)
    user = User.objects.create_user("ben", is_staff=True)
    for codename in ("view_webhookendpoint", "change_webhookendpoint"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(user)

    page = client.get(page_of(endpoint))
    response = client.post(act_on(endpoint, act), {"_form_submitted": "True"})

    assertNotContains(page, act_on(endpoint, act))
    assert response.status_code == 403
    endpoint.refresh_from_db()
    assert live_secrets(endpoint) == [SECRET]


def test_an_unknown_endpoint_is_refused(pages: Client) -> None:
    for pk in ("0190a0a0-0000-7000-8000-000000000000", "x"):
        url = reverse("admin:webhooks_webhookendpoint_rotate", args=[pk])
        assert pages.post(url, {"_form_submitted": "True"}).status_code == 403
