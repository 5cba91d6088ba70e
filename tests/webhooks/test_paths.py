"""Paths that people choose below `/webhooks/`."""

from __future__ import annotations

from functools import partial

import pytest

from tests.races import ROUNDS, THREADS, race, race_all
from tests.webhooks.deliveries import deliver
from webhooks.endpoints.lifecycle import (
    InvalidEndpoint,
    close_endpoint,
    create_endpoint,
    update_endpoint,
)
from webhooks.endpoints.rotation import replace_url
from webhooks.endpoints.urls import (
    WebhookUrlTaken,
    custom_path,
    find_path_faults,
    webhook_url,
)
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

LONGEST = "a" * 200


@pytest.mark.parametrize("path", ["orders/eu", "a", "A.b_c~d-e/1", "...", LONGEST])
def test_a_path_receives(path: str) -> None:
    endpoint = create_endpoint(path=path).endpoint

    assert webhook_url(endpoint) == f"http://testserver/webhooks/{path}"
    assert deliver(endpoint).status_code == 200


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (LONGEST + "a", "Must have at most 200 characters"),
        *(
            (path, "Can contain only letters, digits, '-', '.', '_', '~' and '/'")
            for path in ("a b", "a%2fb", "ä", "a?b", "a\\b", "a\x00b", "a\nb", "a:b")
        ),
        *(
            (path, "Must not be empty, begin or end with '/', or contain '//'")
            for path in ("", "/", "/a", "a/", "a//b")
        ),
        *(
            (path, "Must not have '.' or '..' as a segment")
            for path in (".", "..", "a/../b", "./a", "a/.")
        ),
        ("wht_0", "Must not begin with 'wht_', as generated ids do"),
    ],
)
def test_an_invalid_path_is_refused(path: str, detail: str) -> None:
    assert [fault.detail for fault in find_path_faults(path)] == [detail]
    with pytest.raises(InvalidEndpoint) as refusal:
        create_endpoint(path=path)
    assert [fault.pointer for fault in refusal.value.faults] == ["/webhook_path"]
    assert not WebhookEndpoint.objects.exists()


def test_a_path_is_case_sensitive() -> None:
    lower = create_endpoint(path="orders").endpoint

    upper = create_endpoint(path="Orders").endpoint

    assert lower.pk != upper.pk
    assert deliver(WebhookEndpoint(webhook_id="ORDERS")).status_code == 404


def test_a_path_of_a_disabled_endpoint_stays_in_use() -> None:
    create_endpoint(path="orders")
    WebhookEndpoint.objects.update(is_active=False)

    with pytest.raises(WebhookUrlTaken):
        create_endpoint(path="orders")

    assert WebhookEndpoint.objects.count() == 1


def test_a_closed_endpoint_releases_its_path() -> None:
    closed = create_endpoint(path="orders").endpoint

    close_endpoint(endpoint_id=closed.pk)
    other = create_endpoint(path="orders").endpoint

    closed.refresh_from_db()
    assert (closed.is_active, custom_path(closed)) == (False, None)
    assert deliver(other).status_code == 200


def test_a_closed_endpoint_keeps_its_generated_id() -> None:
    endpoint = create_endpoint().endpoint

    close_endpoint(endpoint_id=endpoint.pk)

    assert WebhookEndpoint.objects.get().webhook_id == endpoint.webhook_id


def test_a_path_is_changed_and_removed() -> None:
    endpoint = create_endpoint().endpoint

    chosen = update_endpoint(endpoint_id=endpoint.pk, path="orders").endpoint
    untouched = update_endpoint(endpoint_id=endpoint.pk, config={"n": 1}).endpoint
    given_up = update_endpoint(endpoint_id=endpoint.pk, path=None).endpoint
    again = update_endpoint(endpoint_id=endpoint.pk, path=None).endpoint

    assert chosen.webhook_id == untouched.webhook_id == "orders"
    assert custom_path(given_up) is None
    assert again.webhook_id == given_up.webhook_id
    assert deliver(chosen).status_code == 404


def test_a_new_url_replaces_a_chosen_path() -> None:
    endpoint = create_endpoint(path="orders").endpoint

    replace_url(endpoint_id=endpoint.pk)

    assert deliver(endpoint).status_code == 404
    assert create_endpoint(path="orders").endpoint.pk != endpoint.pk


def try_to_create(path: str) -> bool:
    try:
        create_endpoint(path=path)
    except WebhookUrlTaken:
        return False
    return True


def try_to_move(endpoint: WebhookEndpoint, path: str) -> bool:
    try:
        update_endpoint(endpoint_id=endpoint.pk, path=path)
    except WebhookUrlTaken:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_one_of_several_concurrent_calls_gets_a_path() -> None:
    for round_number in range(ROUNDS):
        path = f"orders/{round_number}"
        endpoints = [create_endpoint().endpoint for _ in range(THREADS)]

        created = race(partial(try_to_create, path))
        moved = race_all([partial(try_to_move, e, f"{path}/x") for e in endpoints])

        assert (created.count(True), moved.count(True)) == (1, 1)
        taken = WebhookEndpoint.objects.filter(webhook_id=f"{path}/x")
        assert taken.get() == endpoints[moved.index(True)]
