from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from events.models import Event
from events.services.record import NewEvent, record_events
from tests.factories import new_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def page_of(event: NewEvent) -> str:
    record_events([event])
    return reverse("admin:events_event_change", args=[event.id])


def test_a_body_is_shown_escaped_and_shortened(pages: Client) -> None:
    body = b"<script>alert(1)</script>" + "é".encode() * 15_000 + b"the end"

    page = pages.get(page_of(new_event(body=body)))

    assertContains(page, "&lt;script&gt;alert(1)&lt;/script&gt;é")
    assertContains(page, "Shortened.")
    assertNotContains(page, "<script>alert(1)")
    assertNotContains(page, "the end")


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"\x89PNG"])
def test_a_binary_body_is_offered_as_a_file(pages: Client, body: bytes) -> None:
    page = pages.get(page_of(new_event(body=body)))

    assertContains(page, "Not text")
    assertContains(page, reverse("event-body", args=[Event.objects.get().pk]))


def test_an_empty_body_is_shown_as_absent(pages: Client) -> None:
    page = pages.get(page_of(new_event(body=b"")))

    assert page.status_code == 200


def test_a_replay_shows_the_body_of_the_original(pages: Client) -> None:
    original = new_event(body=b"the original body")
    record_events([original])

    page = pages.get(page_of(new_event(body=b"", replay_of=original.id)))

    assertContains(page, "the original body")


def test_a_request_with_odd_characters_is_shown(pages: Client) -> None:
    request = '{"headers": {"x": "\\ud800\\u0000<b>"}}'

    page = pages.get(page_of(new_event(request=request)))

    assertContains(page, "\\ud800\\u0000&lt;b&gt;")


def test_an_event_in_the_inbox_is_waiting(pages: Client) -> None:
    page = pages.get(page_of(new_event()))

    assertContains(page, "waiting")
