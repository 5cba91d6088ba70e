from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import PendingFetch, PendingFetchKind, PendingFetchStatus


@pytest.mark.django_db
def test_an_errand_that_failed_says_why_and_shows_no_token(
    client: Client, admin: User
) -> None:
    client.force_login(admin)
    fetch = PendingFetch.objects.create(
        kind=PendingFetchKind.CONFIRMATION,
        url="https://sns.eu-west-1.amazonaws.com/?Token=very-secret",
        endpoint_id=create_endpoint().endpoint.id,
        status=PendingFetchStatus.FAILED,
        next_attempt_at=timezone.now(),
        error="Answered with 500",
    )

    pages = [
        client.get(reverse("admin:webhooks_pendingfetch_changelist")),
        client.get(reverse("admin:webhooks_pendingfetch_change", args=[fetch.pk])),
    ]

    for page in pages:
        assert page.status_code == 200
        assert b"Answered with 500" in page.content
        assert b"sns.eu-west-1.amazonaws.com" in page.content
        assert b"very-secret" not in page.content
