"""The receiver accepts each shipped sender, signed as in `tests/senders/table.py`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

import senders
from events.models import Event
from senders.definitions import get_shipped, load_definition, resolve, shipped_slugs
from senders.definitions.schemes import JwtScheme
from senders.parsing.bodies import split_array
from tests.factories import make_created
from tests.senders.requests import Sent, identify
from tests.senders.table import ROWS, SENDERS, Row, unsigned
from tests.webhooks.types.receiving import store_keys
from triggers.services.lifecycle import SavedTrigger
from webhooks.endpoints.urls import webhook_url
from webhooks.models import WebhookEndpoint

FOLDER = Path(senders.__path__[0]) / "types"

every_type = pytest.mark.parametrize("slug", shipped_slugs())
# The first sample of each sender, in each form: the others differ in no check.
FIRST = [row for row in ROWS if row.event == SENDERS[row.sent.slug].events[0]]
every_form = pytest.mark.parametrize("row", FIRST, ids=lambda row: row.name)
every_forgery = pytest.mark.parametrize(
    "row", [row for row in FIRST if row.form.covered.body], ids=lambda row: row.name
)
signing_types = pytest.mark.parametrize(
    "slug", [slug for slug in shipped_slugs() if resolve(slug).signature_required]
)


def make_webhook(slug: str, secret: str) -> SavedTrigger:
    if isinstance(resolve(slug).signature, JwtScheme):
        store_keys()
    config = {"secret": secret, **SENDERS[slug].config}
    return make_created(
        trigger_type="webhook", webhook={"type_slug": slug, "config": config}
    )


def url_of(created: SavedTrigger) -> str:
    return webhook_url(WebhookEndpoint.objects.get(triggers=created.trigger))


def signed_for(created: SavedTrigger, row: Row) -> Sent:
    """Return the sample, signed now and for the URL of the endpoint."""
    sent = unsigned(row.sent.slug, row.event)
    url, now = url_of(created), time.time()
    return row.form.sign(sent.but(secret=row.form.secret, url=url, now=now))


def deliver(sent: Sent, **headers: str) -> Any:
    path = sent.url.removeprefix("http://testserver")
    client = Client(headers={**headers, **sent.headers})
    return client.post(path, sent.body, content_type=sent.content_type)


def items(sent: Sent) -> list[Sent]:
    """Return the events of a delivery, of which a batch has several."""
    if resolve(sent.slug).batch is None or not sent.body.startswith(b"["):
        return [sent]
    return [sent.but(body=item) for item in split_array(sent.body)]


def test_each_file_of_the_folder_is_a_shipped_type() -> None:
    assert shipped_slugs() == sorted(path.stem for path in FOLDER.glob("*.json"))


@every_type
def test_a_definition_is_loaded_from_the_file_only(slug: str) -> None:
    uploaded = json.loads((FOLDER / f"{slug}.json").read_bytes())

    assert load_definition(uploaded) == get_shipped(slug)
    assert resolve(slug).slug == slug


@every_form
@pytest.mark.django_db
def test_a_delivery_is_recorded_and_a_redelivery_is_a_duplicate(row: Row) -> None:
    sent = signed_for(make_webhook(row.sent.slug, row.form.secret), row)

    answers = [deliver(sent, Authorization="Bearer abc") for _ in range(2)]

    status = SENDERS[row.sent.slug].status
    assert [answer.status_code for answer in answers] == [status] * 2
    expected = [(identify(item), item.body) for item in items(sent)]
    if expected[0][0].delivery_id is None:
        expected *= 2
    recorded = list(Event.objects.order_by("id"))
    assert [(e.type, e.delivery_id or None, bytes(e.body)) for e in recorded] == [
        (identity.event_type, identity.delivery_id, body) for identity, body in expected
    ]
    for event in recorded:
        assert "authorization" not in event.request["headers"]
        assert row.form.secret not in json.dumps(event.request)


@every_forgery
@pytest.mark.django_db
def test_a_changed_delivery_is_rejected(row: Row) -> None:
    sent = signed_for(make_webhook(row.sent.slug, row.form.secret), row)
    forge = next(iter(row.form.forged.values()), None)
    if row.form.covered.signature is None:
        assert forge is not None
        changed = forge(sent)
    else:
        changed = sent.but(body=sent.body + b" ")

    answer = deliver(changed)

    assert answer.status_code == 401
    assert not Event.objects.exists()


@signing_types
@pytest.mark.django_db
def test_a_type_that_signs_rejects_unsigned_deliveries(slug: str) -> None:
    form = next(iter(SENDERS[slug].forms.values()))
    created = make_webhook(slug, form.secret)
    sent = unsigned(slug, SENDERS[slug].events[0]).but(url=url_of(created))

    answer = deliver(sent)

    assert answer.status_code == 401
    assert not Event.objects.exists()
