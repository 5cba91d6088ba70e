from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains

from tests.webhooks.uploads import MINIMAL, PARCELS
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookType, WebhookTypeVersion
from webhooks.types import definition_of, upload_type

pytestmark = pytest.mark.django_db

ADD = reverse("admin:webhooks_webhooktype_add")


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def page_of(slug: str, act: str = "change") -> str:
    return reverse(f"admin:webhooks_webhooktype_{act}", args=[slug])


def errors_of(response: Any) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = response.context["adminform"].form.errors
    return errors


def test_a_type_is_uploaded(pages: Client) -> None:
    sent = {"slug": "Shop", "document": json.dumps(MINIMAL)}

    response = pages.post(ADD, sent)

    version = WebhookTypeVersion.objects.get()
    assert response.status_code == 302
    assert (version.slug, version.created_by) == ("shop", "ana")
    assert WebhookType.objects.get().current == version


def test_a_type_is_changed_and_its_versions_are_shown(pages: Client) -> None:
    upload_type(document=PARCELS)
    shown = pages.get(page_of("parcels"))
    document = {**PARCELS, "description": "changed"}

    pages.post(page_of("parcels"), {"document": json.dumps(document)})

    assertContains(shown, "DynamicWebhookParser")
    assert definition_of("parcels").description == "changed"
    versions = reverse("admin:webhooks_webhooktypeversion_changelist")
    assertContains(pages.get(page_of("parcels")), f"{versions}?slug__exact=parcels")
    assert pages.get(versions, {"slug__exact": "parcels"}).status_code == 200
    first = WebhookTypeVersion.objects.get(version=1)
    one = reverse("admin:webhooks_webhooktypeversion_change", args=[first.pk])
    assertContains(pages.get(one), "DynamicWebhookParser")


@pytest.mark.parametrize(
    ("slug", "document", "field", "text"),
    [
        (
            "shop",
            '{"name": "x"}',
            "document",
            "/parser: Missing required field: parser",
        ),
        ("shop", "{", "document", "Enter a valid JSON."),
        ("shop", "{}", "document", "This field is required."),
        ("shop", "", "document", "This field is required."),
        ("a shop", json.dumps(MINIMAL), "slug", "'a shop' does not match"),
        ("generic", json.dumps(MINIMAL), "document", "`generic` cannot be replaced"),
    ],
)
def test_faults_are_shown_at_their_fields(
    pages: Client, slug: str, document: str, field: str, text: str
) -> None:
    response = pages.post(ADD, {"slug": slug, "document": document})

    errors = errors_of(response)
    assert list(errors) == [field]
    assert text in errors[field][0]
    assert not WebhookTypeVersion.objects.exists()


def test_a_type_is_deleted(pages: Client) -> None:
    upload_type(document=PARCELS)

    response = pages.post(page_of("parcels", "delete"), {"post": "yes"})

    assert response.status_code == 302
    assert not WebhookType.objects.exists()


def test_a_type_in_use_is_not_deleted(pages: Client) -> None:
    upload_type(slug="shop", document=MINIMAL)
    create_endpoint(type_slug="shop")

    delete = page_of("shop", "delete")
    response = pages.post(delete, {"post": "yes"}, follow=True)

    assertContains(response, "1 endpoint uses it")
    assert WebhookType.objects.exists()


def test_types_are_listed(pages: Client) -> None:
    upload_type(document=PARCELS)

    response = pages.get(reverse("admin:webhooks_webhooktype_changelist"))

    assertContains(response, "parcels")


def test_an_endpoint_can_get_an_uploaded_type(pages: Client) -> None:
    endpoint = create_endpoint().endpoint
    upload_type(slug="shop", document=MINIMAL)
    sent = {"type": "shop", "allowed_methods": ["POST"], "validation_rules": ""}

    pages.post(
        reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk]), sent
    )

    endpoint.refresh_from_db()
    assert endpoint.type == "shop"


def test_a_viewer_sees_the_document(client: Client) -> None:
    user = User.objects.create_user("bo", is_staff=True)
    right = Permission.objects.get(codename="view_webhooktype")
    user.user_permissions.add(right)
    client.force_login(user)
    upload_type(document=PARCELS)

    page = client.get(page_of("parcels"))
    sent = client.post(page_of("parcels"), {"document": json.dumps(MINIMAL)})

    assertContains(page, "DynamicWebhookParser")
    assert sent.status_code == 403
    assert definition_of("parcels").name == "Parcels"
