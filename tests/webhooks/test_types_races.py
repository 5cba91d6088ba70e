from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest

from tests.races import ROUNDS, THREADS, race, race_all
from tests.webhooks.uploads import LEAST
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint, WebhookType, WebhookTypeVersion
from webhooks.types import (
    WebhookTypeInUse,
    WebhookTypeNotFound,
    delete_type,
    upload_type,
)

pytestmark = pytest.mark.django_db(transaction=True)

SIGNATURE = {
    "kind": "token",
    "read_from": {"headers": ["X-Shop-Token"]},
}


def test_uploads_at_one_moment_get_the_numbers_in_turn() -> None:
    texts = count()

    def upload() -> int:
        document = {**LEAST, "description": str(next(texts))}
        return upload_type(slug="shop", document=document).version

    for done in range(0, ROUNDS * THREADS, THREADS):
        numbers = race(upload)
        assert sorted(numbers) == list(range(done + 1, done + 1 + THREADS))

    last = WebhookTypeVersion.objects.order_by("-version")[0]
    assert WebhookType.objects.get().current == last
    assert last.version == WebhookTypeVersion.objects.count() == ROUNDS * THREADS


def delete(slug: str) -> bool:
    try:
        delete_type(slug=slug)
    except (WebhookTypeInUse, WebhookTypeNotFound):
        return False
    return True


def test_no_endpoint_is_left_without_the_type_it_was_made_with() -> None:
    for number in range(ROUNDS):
        slug = f"shop-{number}"
        upload_type(slug=slug, document=LEAST)

        acts: list[Callable[[], Any]] = [
            partial(create_endpoint, type_slug=slug),
            partial(delete, slug),
        ]
        race_all(acts * 4)

        uses = WebhookEndpoint.objects.filter(type=slug).count()
        is_there = WebhookType.objects.filter(slug=slug).exists()
        assert (uses in (1, 2, 3, 4)) == is_there


def demand_a_token(slug: str) -> bool:
    try:
        upload_type(slug=slug, document={**LEAST, "signature": SIGNATURE})
    except WebhookTypeInUse:
        return False
    return True


def test_no_endpoint_is_made_for_what_its_type_is_no_more() -> None:
    for number in range(ROUNDS):
        slug = f"shop-{number}"
        upload_type(slug=slug, document=LEAST)

        acts: list[Callable[[], Any]] = [
            partial(demand_a_token, slug),
            partial(create_endpoint, type_slug=slug),
        ]
        signs, made = race_all(acts)

        assert (made.secret is not None) == signs
