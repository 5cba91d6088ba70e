"""WooCommerce, Paddle, Pipedrive, Trello and CircleCI: what only they do."""

from __future__ import annotations

import json
import time

import pytest

from events.models import Event
from tests.senders.requests import FORM, Sent, identify
from tests.senders.table import SENDERS, signed, unsigned
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import make_endpoint, send
from webhooks.endpoints.urls import webhook_url

PING = Sent(slug="woocommerce", body=b"webhook_id=7", content_type=FORM)
BASIC = SENDERS["pipedrive"].forms["basic"]


def types_of_events() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=UTF-8"])
def test_the_ping_of_woocommerce_is_answered(content_type: str) -> None:
    answer = send(make_endpoint("woocommerce"), PING.but(content_type=content_type))

    assert (answer.status_code, answer.content) == (200, b"")
    assert_nothing_happened()


@pytest.mark.django_db
def test_an_unsigned_order_is_no_ping() -> None:
    order = unsigned("woocommerce", SENDERS["woocommerce"].events[0])

    assert send(make_endpoint("woocommerce"), order).status_code == 401
    assert_nothing_happened()


@pytest.mark.django_db
def test_orders_of_one_second_share_an_id_and_are_separate_events() -> None:
    endpoint = make_endpoint("woocommerce")
    first = signed("woocommerce")
    form = SENDERS["woocommerce"].forms[""]
    second = form.sign(first.but(body=first.body.replace(b"1042", b"1043")))

    answers = [send(endpoint, one).json() for one in (first, second, first)]

    assert [answer["status"] for answer in answers] == [
        "accepted",
        "accepted",
        "duplicate",
    ]
    assert types_of_events() == ["woocommerce.order.created"] * 2


@pytest.mark.django_db
def test_a_replay_of_paddle_is_a_duplicate() -> None:
    endpoint, form = make_endpoint("paddle"), SENDERS["paddle"].forms[""]
    first = form.sign(signed("paddle").but(now=time.time()))
    replay = form.sign(first.but(body=first.body.replace(b"ntf_01", b"ntf_02")))

    answers = [send(endpoint, one).json() for one in (first, replay)]

    assert [answer["status"] for answer in answers] == ["accepted", "duplicate"]


@pytest.mark.django_db
def test_a_repetition_of_pipedrive_is_a_duplicate() -> None:
    endpoint = make_endpoint("pipedrive", secret=BASIC.secret)
    first = signed("pipedrive")
    again = first.but(body=first.body.replace(b'"attempt":1', b'"attempt":2'))

    answers = [send(endpoint, one).json() for one in (first, again)]

    assert again.body != first.body
    assert [answer["status"] for answer in answers] == ["accepted", "duplicate"]


def test_version_1_of_pipedrive_names_its_events_otherwise() -> None:
    body = {"v": 1, "event": "updated.deal", "meta": {"object": "deal", "id": 42}}

    found = identify(Sent(slug="pipedrive", body=json.dumps(body).encode()))

    assert found.event_type == "pipedrive.updated.deal"


@pytest.mark.django_db
def test_trello_signs_the_url_and_checks_it_by_head() -> None:
    endpoint = make_endpoint("trello")
    form = SENDERS["trello"].forms[""]
    sent = unsigned("trello", SENDERS["trello"].events[0])
    here = form.sign(sent.but(url=webhook_url(endpoint)))

    answers = [
        send(endpoint, Sent(slug="trello", method="HEAD", body=b"")),
        send(endpoint, form.sign(sent)),
        send(endpoint, here),
    ]

    assert [answer.status_code for answer in answers] == [200, 401, 200]
    assert types_of_events() == ["trello.updateCard"]


# From "Validate webhooks" of CircleCI's documentation.
CIRCLECI_VECTORS = [
    (
        "hello world",
        "secret",
        "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a",
    ),
    (
        "lalala",
        "another-secret",
        "daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00",
    ),
]


@pytest.mark.parametrize(("body", "secret", "digest"), CIRCLECI_VECTORS)
def test_the_documented_signatures_of_circleci_verify(
    body: str, secret: str, digest: str
) -> None:
    sent = Sent(slug="circleci", body=body.encode(), secret=secret)

    sent.plus(circleci_signature=f"v1={digest},v2=0,v3=0").verify()
