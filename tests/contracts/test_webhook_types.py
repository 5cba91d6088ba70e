from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

import senders
from events.models import Event
from senders.definitions import get_shipped, load_definition, shipped_slugs
from senders.signatures import SignedRequest
from tests.contracts.webhook_samples import (
    covers_body,
    delivery_id,
    sample_of,
    signed_request,
)
from tests.factories import make_created
from triggers.services.lifecycle import SavedTrigger
from webhooks.endpoints.urls import webhook_url
from webhooks.models import WebhookEndpoint

FOLDER = Path(senders.__path__[0]) / "types"

every_type = pytest.mark.parametrize("slug", shipped_slugs())
types_that_cover_the_body = pytest.mark.parametrize(
    "slug", [slug for slug in shipped_slugs() if covers_body(slug)]
)
signing_types = pytest.mark.parametrize(
    "slug",
    [s for s in shipped_slugs() if (d := get_shipped(s)) and d.signature_required],
)


def make_webhook(slug: str) -> SavedTrigger:
    sample = sample_of(slug)
    config = {"secret": sample.secret or True, **sample.config}
    return make_created(
        trigger_type="webhook", webhook={"type_slug": slug, "config": config}
    )


def url_of(created: SavedTrigger) -> str:
    return webhook_url(WebhookEndpoint.objects.get(triggers=created.trigger))


def signed(created: SavedTrigger, slug: str) -> SignedRequest:
    secret = created.webhook_secret or sample_of(slug).secret
    return signed_request(slug, secret=secret, url=url_of(created))


def deliver(
    created: SavedTrigger, slug: str, headers: dict[str, str], body: bytes
) -> Any:
    path = url_of(created).removeprefix("http://testserver")
    content_type = sample_of(slug).content_type
    others = {name: text for name, text in headers.items() if name != "Content-Type"}
    return Client(headers=others).post(path, body, content_type=content_type)


def test_each_file_of_the_folder_is_a_shipped_type() -> None:
    assert shipped_slugs() == sorted(path.stem for path in FOLDER.glob("*.json"))


@every_type
def test_the_file_alone_makes_the_definition(slug: str) -> None:
    uploaded = json.loads((FOLDER / f"{slug}.json").read_bytes())

    assert load_definition(uploaded) == get_shipped(slug)


@every_type
@pytest.mark.django_db
def test_a_delivery_of_the_sender_is_recorded(slug: str) -> None:
    created = make_webhook(slug)
    request = signed(created, slug)

    answer = deliver(created, slug, request.headers, request.body)

    event = Event.objects.get()
    assert answer.status_code == sample_of(slug).status, answer.content
    assert event.type.startswith(f"{slug}.")
    assert (event.delivery_id or None) == delivery_id(slug, request.body)
    assert bytes(event.body) == request.body


@every_type
@pytest.mark.django_db
def test_a_redelivery_is_recorded_once_where_the_sender_gives_an_id(slug: str) -> None:
    created = make_webhook(slug)
    request = signed(created, slug)

    answers = [deliver(created, slug, request.headers, request.body) for _ in range(2)]

    has_id = delivery_id(slug, request.body) is not None
    assert {answer.status_code for answer in answers} == {sample_of(slug).status}
    assert Event.objects.count() == (1 if has_id else 2)


@types_that_cover_the_body
@pytest.mark.django_db
def test_a_body_that_was_changed_on_the_way_is_refused(slug: str) -> None:
    created = make_webhook(slug)
    request = signed(created, slug)

    changed = sample_of(slug).tamper(request.body)
    answer = deliver(created, slug, request.headers, changed)

    assert changed != request.body
    assert answer.status_code == 401
    assert not Event.objects.exists()


@signing_types
@pytest.mark.django_db
def test_a_type_that_signs_takes_nothing_unsigned(slug: str) -> None:
    created = make_webhook(slug)

    answer = deliver(created, slug, {}, sample_of(slug).body)

    assert answer.status_code == 401
    assert not Event.objects.exists()


@every_type
@pytest.mark.django_db
def test_no_secret_is_kept_with_the_event(slug: str) -> None:
    created = make_webhook(slug)
    request = signed(created, slug)

    headers = {"Authorization": "Bearer abc", **request.headers}
    deliver(created, slug, headers, request.body)

    kept = Event.objects.get().request
    assert "authorization" not in kept["headers"]
    if created.webhook_secret:
        assert created.webhook_secret not in json.dumps(kept)
