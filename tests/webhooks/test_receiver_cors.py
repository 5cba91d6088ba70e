"""Pages of listed origins may call a webhook."""

from __future__ import annotations

from typing import Any

import pytest

from events.models import Event
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import InvalidEndpoint, create_endpoint
from webhooks.endpoints.rules import find_rule_faults
from webhooks.models import WebhookEndpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

SHOP, OTHER = "https://shop.example", "https://shop.example:8443"


def make_endpoint(*origins: str, **fields: Any) -> WebhookEndpoint:
    rules = {"cors": {"origins": list(origins)}} if origins else {}
    return create_endpoint(validation_rules=rules, **fields).endpoint


def preflight(endpoint: WebhookEndpoint, origin: str = SHOP, **headers: str) -> Any:
    asked = {
        "Origin": origin,
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "content-type,x-form",
    }
    return deliver(endpoint, b"", method="OPTIONS", **{**asked, **headers})


def cors_headers(answer: Any) -> dict[str, str]:
    return {n: v for n, v in answer.headers.items() if n.startswith("Access-Control")}


def test_a_preflight_of_a_listed_origin_is_answered() -> None:
    endpoint = make_endpoint(OTHER, SHOP, allowed_methods=["POST", "PUT"])

    answer = preflight(endpoint)

    assert (answer.status_code, answer.content) == (204, b"")
    assert cors_headers(answer) == {
        "Access-Control-Allow-Origin": SHOP,
        "Access-Control-Allow-Methods": "POST, PUT",
        "Access-Control-Allow-Headers": "content-type,x-form",
        "Access-Control-Max-Age": "600",
        "Access-Control-Expose-Headers": "Retry-After, Preference-Applied",
    }
    assert answer["Allow"] == "POST, PUT, OPTIONS"
    assert "Origin" in answer["Vary"]
    assert "Access-Control-Request-Headers" in answer["Vary"]
    assert_nothing_happened()


def test_a_delivery_of_a_listed_origin_can_be_read_by_the_page() -> None:
    answer = deliver(make_endpoint(SHOP), Origin=SHOP)

    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == SHOP
    assert "Access-Control-Allow-Credentials" not in answer
    assert "Origin" in answer["Vary"]
    assert Event.objects.count() == 1


def test_a_page_can_read_why_its_request_was_refused() -> None:
    answer = deliver(make_endpoint(SHOP, config={"secret": True}), Origin=SHOP)

    assert answer.status_code == 401
    assert answer["Access-Control-Allow-Origin"] == SHOP


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example", "https://shop.example.evil", "https://evil.example",
        "https://shop.example:444", "null", "*", "", "https://SHOP.example",
    ],
)  # fmt: skip
def test_another_origin_gets_no_permission(origin: str) -> None:
    endpoint = make_endpoint(SHOP)

    answers = [preflight(endpoint, origin), deliver(endpoint, Origin=origin)]

    assert [answer.status_code for answer in answers] == [204, 200]
    assert [cors_headers(answer) for answer in answers] == [{}, {}]
    assert all("Origin" in answer["Vary"] for answer in answers)


def test_it_is_off_by_default() -> None:
    endpoint = make_endpoint()

    answers = [preflight(endpoint), deliver(endpoint, Origin=SHOP)]

    assert [cors_headers(answer) for answer in answers] == [{}, {}]
    assert "Vary" not in answers[1]


@pytest.mark.parametrize("wanted", ["x\r\ny", "é", "x" * 2001, "a:b"])
def test_no_other_text_is_echoed(wanted: str) -> None:
    wanted = wanted.replace("\r\n", "<")

    answer = preflight(make_endpoint(SHOP), Access_Control_Request_Headers=wanted)

    assert "Access-Control-Allow-Headers" not in answer


def test_a_handshake_by_options_is_still_answered() -> None:
    endpoint = make_endpoint(SHOP, type_slug="cloudevents", config={"secret": True})
    asked = {"WebHook_Request_Origin": "sender.example", "Origin": SHOP}

    answer = deliver(endpoint, b"", method="OPTIONS", **asked)

    assert answer["WebHook-Allowed-Origin"] == "sender.example"


@pytest.mark.parametrize(
    ("cors", "pointer"),
    [
        (None, "/cors"),
        ({}, "/cors"),
        (["https://a.example"], "/cors"),
        ({"origins": [SHOP], "credentials": True}, "/cors"),
        ({"origins": []}, "/cors/origins"),
        ({"origins": "*"}, "/cors/origins"),
        ({"origins": [SHOP] * 21}, "/cors/origins"),
        *(
            ({"origins": [SHOP, wrong]}, "/cors/origins/1")
            for wrong in (
                "*", "null", "http://a.example", "https://*.a.example", "https://a/",
                "https://a.example/x", "https://A.example", "https://a.example:443",
                "https://u@a.example", "https://a.example?", "https://", 5,
                "https://a.example\n", "https://é.example", "https://a" * 100,
            )
        ),
    ],
)  # fmt: skip
def test_other_origins_than_exact_ones_are_refused(cors: object, pointer: str) -> None:
    assert [fault.pointer for fault in find_rule_faults({"cors": cors})] == [pointer]


def test_an_invalid_rule_stores_nothing() -> None:
    with pytest.raises(InvalidEndpoint):
        make_endpoint("*")

    assert not WebhookEndpoint.objects.exists()
