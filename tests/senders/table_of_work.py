"""The rows of `table.py` of senders for shops, sales, teams and clouds."""

from __future__ import annotations

from collections.abc import Mapping

from tests.senders.forms import (
    BASIC,
    BODY_HASH,
    Covered,
    Form,
    Sender,
    body_hmac,
    event,
    only,
    simple,
    versioned,
)
from tests.senders.signers import sign_square
from tests.senders.signers_of_work import (
    STORAGE,
    SUBSCRIPTION,
    TWITCH,
    adyen,
    event_grid,
    google,
    graph,
    paddle,
    sign_trello,
    sign_twitch,
    sign_zendesk,
    twitch,
    woocommerce,
    zendesk,
)

SENDERS_FOR_WORK: Mapping[str, Sender] = {
    "adyen": Sender(
        events=(
            event("AUTHORISATION", "ANAEXAMPLE000001\nAUTHORISATION\ntrue"),
            event("CAPTURE", "ANAEXAMPLE000002\nCAPTURE\ntrue"),
        ),
        forms={"": adyen()},
    ),
    "asana": Sender(
        events=(
            event("task_changed", BODY_HASH, "task.changed"),
            event("story_added", BODY_HASH, "story.added"),
        ),
        forms=simple("X-Hook-Signature"),
    ),
    "azure-event-grid": Sender(
        events=(
            event(
                "blob_created",
                f"{STORAGE}\n55555555-0000-4000-8000-000000000010",
                "Microsoft.Storage.BlobCreated",
            ),
        ),
        forms={"query": event_grid()},
    ),
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
    "dropbox": Sender(
        events=(event("list_folder", None),), forms=simple("X-Dropbox-Signature")
    ),
    "google-pubsub": Sender(
        events=(
            event("message", f"{SUBSCRIPTION}\n136969346945"),
            event("OBJECT_FINALIZE", f"{SUBSCRIPTION}\n136969346946"),
        ),
        forms={"": google()},
        status=204,
    ),
    "microsoft-graph": Sender(
        events=(event("created", "lsgTZMr9KwAAA"), event("missed", None)),
        forms={"": graph()},
        status=202,
    ),
    "notion": Sender(
        events=(
            event("page.content_updated", "33333333-0000-4000-8000-000000000010"),
            event("page.properties_updated", "33333333-0000-4000-8000-000000000011"),
            event("comment.created", "33333333-0000-4000-8000-000000000012"),
        ),
        forms=simple("X-Notion-Signature", "sha256="),
    ),
    "paddle": Sender(
        events=(
            event("transaction.completed", "evt_01anaexample0000000000001"),
            event("customer.created", "evt_01anaexample0000000000002"),
        ),
        forms={"": paddle()},
    ),
    "pagerduty": Sender(
        events=(
            event("incident.triggered", "01ANAEXAMPLE0000000000000A"),
            event("incident.resolved", "01ANAEXAMPLE0000000000000A"),
        ),
        forms=simple(
            "X-PagerDuty-Signature",
            "v1=",
            separator=",",
            forged={"another version": body_hmac("X-PagerDuty-Signature", "v0=")},
        ),
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
    "shopify": Sender(
        events=(
            event(
                "orders_create",
                "b54557e4",
                X_Shopify_Topic="orders/create",
                X_Shopify_Webhook_Id="b54557e4",
            ),
        ),
        forms=simple("X-Shopify-Hmac-Sha256", is_hex=False),
    ),
    "square": Sender(
        events=(event("payment.created", "66666666-0000-4000-8000-000000000006"),),
        forms=only(
            sign_square, Covered(signature="x-square-hmacsha256-signature", url=True)
        ),
    ),
    "stripe": Sender(
        events=(
            event("payment_intent.succeeded", "evt_1AnaExample0001"),
            event("customer.subscription.updated", "evt_1AnaExample0002"),
        ),
        forms={"": versioned("Stripe-Signature", tolerance=300)},
    ),
    "trello": Sender(
        events=(
            event("updateCard", "5f0000000000000000000011"),
            event("commentCard", "5f0000000000000000000012"),
        ),
        forms=only(sign_trello, Covered(signature="X-Trello-Webhook", url=True)),
    ),
    "twitch": Sender(
        events=(
            twitch("chat_message", "channel.chat.message", "channel.chat.message"),
            twitch("revocation", "revocation", "stream.online"),
        ),
        forms={
            "": Form(
                sign=sign_twitch,
                covered=Covered(
                    signature=f"{TWITCH}Message-Signature",
                    is_hex=True,
                    headers=(f"{TWITCH}Message-Id", f"{TWITCH}Message-Timestamp"),
                ),
                tolerance=600,
            )
        },
        status=204,
    ),
    "typeform": Sender(
        events=(event("form_response", "01JANAEXAMPLE00000000000A"),),
        forms=simple("Typeform-Signature", "sha256=", is_hex=False),
    ),
    "woocommerce": Sender(
        events=(
            woocommerce("order_created", "order.created"),
            woocommerce("product_updated", "product.updated"),
        ),
        forms=simple("X-WC-Webhook-Signature", is_hex=False),
    ),
    "zendesk": Sender(
        events=(
            zendesk("status_changed", "zen:event-type:ticket.status_changed"),
            zendesk("notification", "notification"),
        ),
        forms={
            "": Form(
                sign=sign_zendesk,
                covered=Covered(
                    signature="X-Zendesk-Webhook-Signature",
                    headers=("X-Zendesk-Webhook-Signature-Timestamp",),
                ),
                tolerance=300,
            )
        },
    ),
}
