"""The rows of `table.py` of senders for shops, sales, teams and clouds."""

from __future__ import annotations

from collections.abc import Mapping

from tests.senders.forms import (
    BASIC,
    Covered,
    Event,
    Form,
    Sender,
    event,
    only,
    simple,
    versioned,
)
from tests.senders.requests import Sent, b64, mac


def woocommerce(name: str, topic: str) -> Event:
    return event(
        name,
        "a3ac4c9b",
        topic,
        X_WC_Webhook_Topic=topic,
        X_WC_Webhook_Delivery_ID="a3ac4c9b",
    )


def sign_trello(sent: Sent) -> Sent:
    raw = mac(sent.body + sent.url.encode(), "sha1")
    return sent.plus(X_Trello_Webhook=b64(raw))


def paddle() -> Form:
    return versioned(
        "Paddle-Signature",
        300,
        ":",
        time_name="ts",
        version="h1",
        separator=";",
    )


SENDERS_FOR_WORK: Mapping[str, Sender] = {
    "circleci": Sender(
        events=(
            event("workflow-completed", "11111111-0000-4000-8000-000000000010"),
            event("job-completed", "11111111-0000-4000-8000-000000000011"),
        ),
        forms=simple(
            "circleci-signature",
            "v1=",
            separator=",",
            forged={
                "another version": lambda s: s.plus(
                    circleci_signature=s.headers["circleci-signature"].replace(
                        "v1=", "v2="
                    )
                )
            },
        ),
    ),
    "paddle": Sender(
        events=(
            event("transaction.completed", "evt_01anaexample0000000000001"),
            event("customer.created", "evt_01anaexample0000000000002"),
        ),
        forms={"": paddle()},
    ),
    "pipedrive": Sender(
        events=(
            event("deal_change", "22222222-0000-4000-8000-000000000002", "deal.change"),
            event(
                "person_create", "22222222-0000-4000-8000-000000000003", "person.create"
            ),
        ),
        forms={"basic": BASIC},
    ),
    "trello": Sender(
        events=(
            event("updateCard", "5f0000000000000000000011"),
            event("commentCard", "5f0000000000000000000012"),
        ),
        forms=only(sign_trello, Covered(signature="X-Trello-Webhook", url=True)),
    ),
    "woocommerce": Sender(
        events=(
            woocommerce("order_created", "order.created"),
            woocommerce("product_updated", "product.updated"),
        ),
        forms=simple("X-WC-Webhook-Signature", is_hex=False),
    ),
}
