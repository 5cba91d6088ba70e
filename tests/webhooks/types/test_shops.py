"""Shopify, Square and Typeform: one Base64 signature of the body in a header."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    SECRET,
    URL,
    Sent,
    identify,
    refusal,
    sample,
    verify,
)


def base64_hmac(content: bytes) -> str:
    digest = hmac.new(SECRET.encode(), content, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def of_shopify() -> Sent:
    sent = sample("shopify", "orders_create")
    return sent.plus(
        X_Shopify_Topic="orders/create",
        X_Shopify_Webhook_Id="b54557e4",
        X_Shopify_Hmac_Sha256=base64_hmac(sent.body),
    )


def of_square() -> Sent:
    sent = sample("square", "payment.created")
    signature = base64_hmac(URL.encode() + sent.body)
    return sent.plus(x_square_hmacsha256_signature=signature)


def of_typeform() -> Sent:
    sent = sample("typeform", "form_response")
    return sent.plus(Typeform_Signature="sha256=" + base64_hmac(sent.body))


SHOPIFY, SQUARE, TYPEFORM = of_shopify(), of_square(), of_typeform()
SIGNED_IN = [
    (SHOPIFY, "X-Shopify-Hmac-Sha256", ""),
    (SQUARE, "x-square-hmacsha256-signature", ""),
    (TYPEFORM, "Typeform-Signature", "sha256="),
]
each = pytest.mark.parametrize(
    ("sent", "name", "prefix"), SIGNED_IN, ids=["shopify", "square", "typeform"]
)


@pytest.mark.parametrize(
    ("sent", "event_type", "delivery_id"),
    [
        (SHOPIFY, "shopify.orders_create", "b54557e4"),
        (SQUARE, "square.payment.created", "66666666-0000-4000-8000-000000000006"),
        (TYPEFORM, "typeform.form_response", "01JANAEXAMPLE00000000000A"),
    ],
    ids=["shopify", "square", "typeform"],
)
def test_an_event_is_verified_and_named(
    sent: Sent, event_type: str, delivery_id: str
) -> None:
    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=event_type, delivery_id=delivery_id
    )


@each
def test_what_is_signed_can_not_be_changed(sent: Sent, name: str, prefix: str) -> None:
    other = prefix + base64.b64encode(b"0" * 32).decode()

    refusal(sent.but(body=sent.body + b" "))
    refusal(sent.but(headers={**sent.headers, name: other}))
    assert refusal(sent.without(name)) == FailureReason.MISSING_HEADER
    assert refusal(sent, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_square_signs_the_url_too() -> None:
    assert refusal(SQUARE.but(url=URL + "?x=1")) == FailureReason.NO_MATCH
    assert (
        refusal(SQUARE.but(url=URL.replace("wht_1", "wht_2"))) == FailureReason.NO_MATCH
    )


def test_what_one_act_in_a_shop_sets_off_are_several_deliveries() -> None:
    """They share the id of the event: an order that is created and paid at once."""
    paid = SHOPIFY.plus(X_Shopify_Topic="orders/paid", X_Shopify_Webhook_Id="c65668f5")

    assert identify(paid).delivery_id != identify(SHOPIFY).delivery_id
