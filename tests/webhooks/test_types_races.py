from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest

from tests.races import ROUNDS, THREADS, race, race_all
from tests.webhooks.uploads import MINIMAL
from webhooks.endpoints.lifecycle import InvalidEndpoint, create_endpoint
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


def test_concurrent_uploads_get_consecutive_versions() -> None:
    texts = count()

    def upload() -> int:
        document = {**MINIMAL, "description": str(next(texts))}
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


def create(slug: str) -> bool:
    try:
        create_endpoint(type_slug=slug)
    except InvalidEndpoint:
        return False
    return True


def test_no_endpoint_loses_its_type_to_a_concurrent_deletion() -> None:
    for number in range(ROUNDS):
        slug = f"shop-{number}"
        upload_type(slug=slug, document=MINIMAL)

        acts: list[Callable[[], Any]] = [
            partial(create, slug),
            partial(delete, slug),
        ]
        race_all(acts * 4)

        uses = WebhookEndpoint.objects.filter(type=slug).count()
        is_there = WebhookType.objects.filter(slug=slug).exists()
        assert (uses in (1, 2, 3, 4)) == is_there


def demand_a_token(slug: str) -> bool:
    try:
        upload_type(slug=slug, document={**MINIMAL, "signature": SIGNATURE})
    except WebhookTypeInUse:
        return False
    return True


def test_no_endpoint_is_created_for_an_outdated_type() -> None:
    for number in range(ROUNDS):
        slug = f"shop-{number}"
        upload_type(slug=slug, document=MINIMAL)

        acts: list[Callable[[], Any]] = [
            partial(demand_a_token, slug),
            partial(create_endpoint, type_slug=slug),
        ]
        signs, made = race_all(acts)

        assert (made.secret is not None) == signs
