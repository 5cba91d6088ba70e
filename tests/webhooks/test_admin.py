from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from tests.factories import make_created
from webhooks.models import Rejection, RejectionCount, WebhookEndpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def make_endpoint(type_slug: str = "github") -> tuple[WebhookEndpoint, str]:
    webhook: Any = {"type_slug": type_slug}
    created = make_created(trigger_type="webhook", webhook=webhook)
    assert created.trigger.endpoint is not None
    return created.trigger.endpoint, created.webhook_secret or ""


def page_of(endpoint: WebhookEndpoint) -> str:
    return reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])


def test_an_endpoint_shows_its_url_and_a_signed_command_but_no_secret(
    pages: Client,
) -> None:
    endpoint, secret = make_endpoint()

    page = pages.get(page_of(endpoint))

    assertContains(page, f"http://testserver/webhooks/{endpoint.webhook_id}")
    assertContains(page, "X-Hub-Signature-256: sha256=")
    assertNotContains(page, secret)
    assertNotContains(page, "Valid for")


def test_a_command_with_a_timestamp_shows_how_long_it_is_valid(pages: Client) -> None:
    endpoint, _ = make_endpoint("standardwebhooks")

    page = pages.get(page_of(endpoint))

    assertContains(page, "Valid for 5 minutes")


def test_a_secret_is_replaced_and_not_shown(pages: Client) -> None:
    endpoint, _ = make_endpoint()
    sent = {
        "type": "github",
        "allowed_methods": ["POST"],
        "secret": "a-new-secret-of-some-length",
        "validation_rules": "",
    }

    response = pages.post(page_of(endpoint), sent)

    endpoint.refresh_from_db()
    assert response.status_code == 302
    assert endpoint.secrets[0]["secret"] == sent["secret"]
    assertNotContains(pages.get(page_of(endpoint)), "a-new-secret")


def test_an_empty_secret_keeps_the_current_one(pages: Client) -> None:
    endpoint, secret = make_endpoint()
    sent = {"type": "github", "allowed_methods": ["POST"], "validation_rules": ""}

    pages.post(page_of(endpoint), sent)

    endpoint.refresh_from_db()
    assert endpoint.secrets[0]["secret"] == secret


def test_a_method_that_the_sender_does_not_use_is_refused(pages: Client) -> None:
    endpoint, _ = make_endpoint()
    sent = {"type": "github", "allowed_methods": ["GET"], "validation_rules": ""}

    response = pages.post(page_of(endpoint), sent)

    assert list(response.context["adminform"].form.errors) == ["allowed_methods"]
    endpoint.refresh_from_db()
    assert endpoint.allowed_methods == ["POST"]


def test_a_type_that_is_gone_stays_selected(pages: Client) -> None:
    endpoint, _ = make_endpoint()
    type(endpoint).objects.update(type="gone")

    page = pages.get(page_of(endpoint))

    assertContains(page, '<option value="gone" selected>gone</option>', html=True)


def test_an_unknown_type_is_refused(pages: Client) -> None:
    endpoint, _ = make_endpoint()
    sent = {"type": "githb", "allowed_methods": ["POST"], "validation_rules": ""}

    response = pages.post(page_of(endpoint), sent)

    assert list(response.context["adminform"].form.errors) == ["type"]


def test_endpoints_cannot_be_added_or_deleted_in_the_admin(pages: Client) -> None:
    endpoint, _ = make_endpoint()
    delete = reverse("admin:webhooks_webhookendpoint_delete", args=[endpoint.pk])

    added = pages.get(reverse("admin:webhooks_webhookendpoint_add"))
    deleted = pages.post(delete, {"post": "yes"})

    assert (added.status_code, deleted.status_code) == (403, 403)


def test_an_endpoint_shows_how_many_requests_it_rejected(pages: Client) -> None:
    endpoint, _ = make_endpoint()
    RejectionCount.objects.create(
        endpoint=endpoint, cause="invalid_signature", hour=timezone.now(), count=1234
    )

    page = pages.get(page_of(endpoint))

    assertContains(
        page,
        "the signature does not match: 1,234 in the last 24 hours, 1,234 in all",
    )


def test_a_rejection_shows_the_request(pages: Client) -> None:
    endpoint, _ = make_endpoint()
    rejection = Rejection.objects.create(
        endpoint=endpoint,
        cause="bad_signature",
        status=401,
        method="POST",
        headers={"x": "\ud800"},
        body=b"<b>\xff",
        received_at=timezone.now(),
    )

    page = pages.get(reverse("admin:webhooks_rejection_change", args=[rejection.pk]))

    assertContains(page, "&lt;b&gt;")
    assertContains(page, "bad signature")
