from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.utils import timezone

from tests.races import ROUNDS, THREADS, race, race_all
from tests.senders.requests import PUSH, SECRET, hex_hmac
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from webhooks.endpoints.lifecycle import (
    InvalidEndpoint,
    create_endpoint,
    update_endpoint,
)
from webhooks.endpoints.rotation import (
    NoSuchSecret,
    OnlySecret,
    replace_url,
    revoke_secret,
    rotate_secret,
)
from webhooks.endpoints.secrets import Which, live_entries, states_of
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

SECOND, THIRD = "the second secret, as long", "the third secret, as long"


def make_endpoint(secret: object = SECRET) -> WebhookEndpoint:
    return create_endpoint(config={"secret": secret}).endpoint


def stored(endpoint: WebhookEndpoint) -> list[str]:
    endpoint.refresh_from_db()
    return [entry["secret"] for entry in endpoint.secrets]


def deliver_signed(endpoint: WebhookEndpoint, secret: str) -> int:
    signed = {"X-Webhook-Signature": hex_hmac(PUSH, secret)}
    return deliver(endpoint, PUSH, **signed).status_code


def test_two_secrets_are_valid_until_the_date_of_the_previous_one() -> None:
    endpoint = make_endpoint()

    rotated = rotate_secret(endpoint_id=endpoint.pk, keep_previous_seconds=60)

    assert rotated.secret is not None
    assert rotated.ended == []
    assert stored(endpoint) == [rotated.secret, SECRET]
    assert (
        deliver_signed(endpoint, SECRET),
        deliver_signed(endpoint, rotated.secret),
    ) == (200, 200)
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
        assert deliver_signed(endpoint, SECRET) == 401
        assert deliver_signed(endpoint, rotated.secret) == 200


def test_a_third_secret_ends_the_oldest() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)

    rotated = rotate_secret(endpoint_id=endpoint.pk, secret=THIRD)

    assert stored(endpoint) == [THIRD, SECOND]
    assert [state.which for state in rotated.ended] == [Which.PREVIOUS]
    assert deliver_signed(endpoint, SECRET) == 401


def test_keeping_no_secret_ends_all_at_once() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)

    rotated = rotate_secret(
        endpoint_id=endpoint.pk, secret=THIRD, keep_previous_seconds=0
    )

    assert stored(endpoint) == [THIRD]
    assert [state.which for state in rotated.ended] == ["current", "previous"]
    assert (deliver_signed(endpoint, SECRET), deliver_signed(endpoint, SECOND)) == (
        401,
        401,
    )


def test_an_expired_secret_is_removed_by_the_next_rotation() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND, keep_previous_seconds=1)
    with time_machine.travel(timezone.now() + timedelta(seconds=2), tick=False):
        rotated = rotate_secret(endpoint_id=endpoint.pk, secret=THIRD)

    assert stored(endpoint) == [THIRD, SECOND]
    assert rotated.ended == []


def test_an_earlier_expiry_is_not_extended() -> None:
    endpoint = make_endpoint()
    soon = (timezone.now() + timedelta(seconds=5)).isoformat()
    endpoint.secrets[0]["valid_until"] = soon
    endpoint.save(update_fields=["secrets"])

    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)

    assert stored(endpoint) == [SECOND, SECRET]
    assert endpoint.secrets[1]["valid_until"] == soon


def test_a_revoked_secret_is_rejected_with_the_next_request() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)
    assert deliver_signed(endpoint, SECRET) == 200

    revoked = revoke_secret(endpoint_id=endpoint.pk, which=Which.PREVIOUS)

    assert (deliver_signed(endpoint, SECRET), deliver_signed(endpoint, SECOND)) == (
        401,
        200,
    )
    assert [state.which for state in revoked.ended] == [Which.PREVIOUS]


def test_revoking_the_current_secret_undoes_a_rotation() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND, keep_previous_seconds=60)

    revoke_secret(endpoint_id=endpoint.pk, which=Which.CURRENT)

    assert stored(endpoint) == [SECRET]
    assert endpoint.secrets[0]["valid_until"] is None
    assert (deliver_signed(endpoint, SECRET), deliver_signed(endpoint, SECOND)) == (
        200,
        401,
    )


@pytest.mark.parametrize(
    ("which", "error"), [(Which.CURRENT, OnlySecret), (Which.PREVIOUS, NoSuchSecret)]
)
def test_the_only_secret_cannot_be_revoked(
    which: Which, error: type[Exception]
) -> None:
    endpoint = make_endpoint()

    with pytest.raises(error):
        revoke_secret(endpoint_id=endpoint.pk, which=which)

    assert stored(endpoint) == [SECRET]
    assert deliver(endpoint, PUSH).status_code == 401
    assert_nothing_happened()


def test_an_expired_secret_cannot_become_current() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND, keep_previous_seconds=1)

    with (
        time_machine.travel(timezone.now() + timedelta(seconds=2), tick=False),
        pytest.raises(OnlySecret),
    ):
        revoke_secret(endpoint_id=endpoint.pk, which=Which.CURRENT)


def test_a_secret_cannot_be_rotated_to_itself() -> None:
    endpoint = make_endpoint()

    with pytest.raises(InvalidEndpoint) as refusal:
        rotate_secret(endpoint_id=endpoint.pk, secret=SECRET)

    [fault] = refusal.value.faults
    assert (fault.pointer, fault.detail) == (
        "/secret",
        "Is already valid for this endpoint; give another secret",
    )
    assert stored(endpoint) == [SECRET]


def test_a_rotation_closes_an_open_endpoint() -> None:
    endpoint = make_endpoint(secret=None)
    assert deliver(endpoint, PUSH).status_code == 200

    rotated = rotate_secret(endpoint_id=endpoint.pk)

    assert rotated.ended == []
    assert deliver(endpoint, PUSH).status_code == 401
    assert deliver_signed(endpoint, rotated.secret or "") == 200


def test_a_secret_in_the_config_replaces_both_at_once() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)

    update_endpoint(endpoint_id=endpoint.pk, config={"secret": THIRD})

    assert stored(endpoint) == [THIRD]
    assert (deliver_signed(endpoint, SECRET), deliver_signed(endpoint, SECOND)) == (
        401,
        401,
    )


def test_a_change_of_another_setting_keeps_both_secrets_and_dates() -> None:
    endpoint = make_endpoint()
    before = rotate_secret(endpoint_id=endpoint.pk, secret=SECOND).endpoint.secrets

    update_endpoint(endpoint_id=endpoint.pk, config={"note": 1})

    endpoint.refresh_from_db()
    assert endpoint.secrets == before


@pytest.mark.django_db(transaction=True)
def test_concurrent_rotations_all_take_effect() -> None:
    endpoint = make_endpoint()

    for _ in range(ROUNDS):
        made = [
            done.secret
            for done in race(partial(rotate_secret, endpoint_id=endpoint.pk))
        ]
        current, previous = stored(endpoint)
        assert len(set(made)) == THREADS
        assert {current, previous} <= set(made)
        assert endpoint.secrets[0]["valid_until"] is None
        assert endpoint.secrets[1]["valid_until"] is not None


@pytest.mark.django_db(transaction=True)
def test_each_secret_is_ended_by_one_rotation() -> None:
    endpoint = make_endpoint()
    act = partial(rotate_secret, endpoint_id=endpoint.pk, keep_previous_seconds=0)

    for _ in range(ROUNDS):
        ended = [state for done in race(act) for state in done.ended]
        times = Counter(state.created_at for state in ended)
        assert len(ended) == THREADS
        assert set(times.values()) == {1}
        assert len(stored(endpoint)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_concurrent_change_does_not_undo_a_revocation() -> None:
    for _ in range(ROUNDS):
        endpoint = make_endpoint()
        rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)
        acts: list[Callable[[], object]] = [
            partial(revoke_secret, endpoint_id=endpoint.pk, which=Which.PREVIOUS)
        ]
        acts += [
            partial(update_endpoint, endpoint_id=endpoint.pk, config={"n": n})
            for n in range(THREADS - 1)
        ]

        race_all(acts)

        assert stored(endpoint) == [SECOND]


def test_the_old_url_is_unknown_with_the_next_request() -> None:
    endpoint = make_endpoint()
    old = WebhookEndpoint(webhook_id=endpoint.webhook_id)

    moved = replace_url(endpoint_id=endpoint.pk)

    assert moved.secret is None
    assert moved.endpoint.webhook_id.startswith("wht_")
    assert deliver_signed(old, SECRET) == 404
    assert_nothing_happened()
    assert deliver_signed(moved.endpoint, SECRET) == 200


def test_a_new_url_can_come_with_a_new_secret() -> None:
    endpoint = make_endpoint()
    rotate_secret(endpoint_id=endpoint.pk, secret=SECOND)

    moved = replace_url(endpoint_id=endpoint.pk, rotate_secret=True)

    assert stored(endpoint) == [moved.secret]
    assert len(moved.ended) == 2
    assert deliver_signed(endpoint, SECOND) == 401


@pytest.mark.django_db(transaction=True)
def test_concurrent_moves_leave_one_url() -> None:
    endpoint = make_endpoint()

    for _ in range(ROUNDS):
        moved = race(partial(replace_url, endpoint_id=endpoint.pk))
        urls = {done.endpoint.webhook_id for done in moved}
        found = WebhookEndpoint.objects.filter(webhook_id__in=urls)
        assert len(urls) == THREADS
        assert found.get().pk == endpoint.pk


def test_secret_states_do_not_contain_the_text() -> None:
    endpoint = make_endpoint()
    rotated = rotate_secret(endpoint_id=endpoint.pk, secret=SECOND).endpoint

    states = states_of(live_entries(rotated))

    assert [state.which for state in states] == ["current", "previous"]
    assert SECRET not in repr(states)
    assert SECOND not in repr(states)
