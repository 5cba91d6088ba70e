from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

import webhooks
from events.models import Event
from tests.factories import make_created
from triggers.services.lifecycle import SavedTrigger
from webhooks.definitions import get_shipped, load_definition, shipped_slugs
from webhooks.models import WebhookEndpoint
from webhooks.signatures import sign_request

BODY = b'{"type": "push", "id": "delivery-1"}'
FOLDER = Path(webhooks.__path__[0]) / "types"

every_type = pytest.mark.parametrize("slug", shipped_slugs())
signing_types = pytest.mark.parametrize(
    "slug",
    [s for s in shipped_slugs() if (d := get_shipped(s)) and d.signature_required],
)


def make_webhook(slug: str) -> SavedTrigger:
    config = {"secret": True} if slug == "generic" else {}
    return make_created(
        trigger_type="webhook", webhook={"type_slug": slug, "config": config}
    )


def signed(created: SavedTrigger, slug: str, body: bytes = BODY) -> dict[str, str]:
    return sign_request(
        slug,
        secret=created.webhook_secret,
        body=body,
        now=time.time(),
        delivery_id="delivery-1",
        event_type="push",
    )


def deliver(created: SavedTrigger, headers: dict[str, str], body: bytes = BODY) -> Any:
    endpoint = WebhookEndpoint.objects.get(triggers=created.trigger)
    return Client(headers=headers).post(
        f"/webhooks/{endpoint.webhook_id}", body, content_type="application/json"
    )


def test_each_file_of_the_folder_is_a_shipped_type() -> None:
    assert shipped_slugs() == sorted(path.stem for path in FOLDER.glob("*.json"))


@every_type
def test_the_file_alone_makes_the_definition(slug: str) -> None:
    uploaded = json.loads((FOLDER / f"{slug}.json").read_bytes())

    assert load_definition(uploaded) == get_shipped(slug)


@every_type
@pytest.mark.django_db
def test_a_delivery_of_the_sender_is_recorded_once(slug: str) -> None:
    created = make_webhook(slug)

    first = deliver(created, signed(created, slug))
    again = deliver(created, signed(created, slug))

    event = Event.objects.get()
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["status"] == "accepted"
    assert again.json()["status"] == "duplicate"
    assert again.json()["event_id"] == str(event.id)
    assert event.type.startswith(f"{slug}.")
    assert event.delivery_id == "delivery-1"
    assert bytes(event.body) == BODY


@every_type
@pytest.mark.django_db
def test_a_body_that_was_changed_on_the_way_is_refused(slug: str) -> None:
    created = make_webhook(slug)

    answer = deliver(created, signed(created, slug), body=BODY + b" ")

    assert answer.status_code == 401
    assert not Event.objects.exists()


@signing_types
@pytest.mark.django_db
def test_a_type_that_signs_takes_nothing_unsigned(slug: str) -> None:
    answer = deliver(make_webhook(slug), headers={})

    assert answer.status_code == 401
    assert not Event.objects.exists()


@every_type
@pytest.mark.django_db
def test_no_secret_is_kept_with_the_event(slug: str) -> None:
    created = make_webhook(slug)

    deliver(created, {**signed(created, slug), "Authorization": "Bearer abc"})

    assert "authorization" not in Event.objects.get().request["headers"]
