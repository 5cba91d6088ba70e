"""One table of the shipped senders: what each sends, and how it signs that.

A new sender needs one row. The parametrized tests of all senders read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.senders.requests import Sent, b64, sample
from tests.senders.sender_keys import (
    ed25519_key,
    other_p256_key,
    p256_key,
    raw_public,
    spki,
)
from tests.senders.signers import (
    BASIC,
    BEARER,
    SENDGRID,
    Covered,
    Form,
    body_hmac,
    convoy,
    gitlab,
    grafana,
    hubspot_v3,
    mailgun,
    sign_discord,
    sign_hubspot_v1,
    sign_hubspot_v2,
    sign_linear,
    sign_scalr,
    sign_sendgrid,
    sign_square,
    simple,
    sns,
    standard,
    token,
    twilio,
    versioned,
    with_time,
)

BODY_HASH = "the hash of the body"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:reports"
STATION = "https://weather.example/stations/porto"
ENVELOPE = "bbbb1111-0000-4000-8000-000000000002"
INVITEE = (
    "https://api.calendly.com/scheduled_events/0a000000-0000-4000-8000-000000000001"
    "/invitees/0a000000-0000-4000-8000-000000000003"
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A shipped sample, with the headers that the sample leaves out."""

    sample: str
    type: str
    delivery_id: str | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sender:
    """`config` is what an endpoint needs; `status` answers an accepted delivery."""

    events: tuple[Event, ...]
    forms: Mapping[str, Form]
    config: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


def event(name: str, delivery_id: str | None, type_: str = "", **headers: str) -> Event:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Event(
        sample=name, type=type_ or name, delivery_id=delivery_id, headers=named
    )


def bitbucket(name: str, key: str) -> Event:
    number = "{1f0a7a8c-1c77-4f6d-8d3c-2f1f3d0f9d11}"
    return event(name, number, key, X_Event_Key=key, X_Request_UUID=number)


def jira(name: str) -> Event:
    number = "6f1c2a90-0b1c-4b7c-a1df-0f3b2e8c7d55"
    return event(name, number, X_Atlassian_Webhook_Identifier=number)


def gitea(name: str) -> Event:
    return event(name, "a3ac4c9b", X_Gitea_Event=name, X_Gitea_Delivery="a3ac4c9b")


def github(name: str) -> Event:
    number = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    return event(name, number, X_GitHub_Event=name, X_GitHub_Delivery=number)


def gitlab_event(name: str, header: str) -> Event:
    number = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"
    return event(name, number, X_Gitlab_Event=header, Idempotency_Key=number)


def docusign(name: str, who: str) -> Event:
    return event(name, f"{who}\n{name}\n2026-11-20T09:15:00.1234567Z")


def sentry(resource: str, type_: str) -> Event:
    number = "0123456789abcdef0123456789abcdef"
    headers = {"Sentry-Hook-Resource": resource, "Request-ID": number}
    return event(resource, number, type_, **headers)


HUBSPOT = event("contact.propertyChange", "30002\n1000200030\n1795000000123\n400500")
SHA1 = {"sha1": body_hmac("X-Hub-Signature", "sha1=", "sha1")}
NO_PREFIX = {"no prefix": body_hmac("X-Hub-Signature-256")}

SENDERS: Mapping[str, Sender] = {
    "alertmanager": Sender(
        events=(event("firing", None), event("resolved", None)),
        forms={"bearer": BEARER, "basic": BASIC},
    ),
    "bitbucket": Sender(
        events=(
            bitbucket("repo_push", "repo:push"),
            bitbucket("pullrequest_created", "pullrequest:created"),
        ),
        forms=simple("X-Hub-Signature", "sha256=", forged=SHA1),
    ),
    "calendly": Sender(
        events=(
            event(
                "invitee.created",
                f"{INVITEE}\ninvitee.created\n2026-11-20T09:15:00.000000Z",
            ),
        ),
        forms={"": versioned("Calendly-Webhook-Signature", tolerance=180)},
    ),
    "cloudevents": Sender(
        events=(
            event("example.weather.changed", f"{STATION}\nreading-0001"),
            event("example.weather.binary", f"{STATION}\nreading-0002"),
        ),
        forms={"bearer": BEARER},
        status=202,
    ),
    "convoy-b64": Sender(
        events=(event("order.shipped", "key-1", X_Convoy_Idempotency_Key="key-1"),),
        forms=convoy(is_hex=False),
    ),
    "convoy-hex": Sender(
        events=(event("order.shipped", "key-1", X_Convoy_Idempotency_Key="key-1"),),
        forms=convoy(is_hex=True),
    ),
    "discord": Sender(
        events=(
            event("application_command", "1300000000000000001"),
            event("APPLICATION_AUTHORIZED", BODY_HASH),
        ),
        forms={
            "": Form(
                sign=sign_discord,
                covered=Covered(
                    signature="X-Signature-Ed25519",
                    is_hex=True,
                    headers=("X-Signature-Timestamp",),
                ),
                secret=raw_public(ed25519_key()).hex(),
                other_secret="00" * 32,
            )
        },
    ),
    "docusign": Sender(
        events=(
            docusign("envelope-completed", ENVELOPE),
            docusign("recipient-completed", f"{ENVELOPE}\n1"),
        ),
        forms=simple("X-DocuSign-Signature-1", is_hex=False),
    ),
    "generic": Sender(
        events=(event("test", None, "received"),),
        forms=simple("X-Webhook-Signature"),
    ),
    "gitea": Sender(
        events=(gitea("push"), gitea("pull_request")),
        forms=simple("X-Gitea-Signature"),
    ),
    "github": Sender(
        events=(github("push"), github("pull_request"), github("issues")),
        forms=simple("X-Hub-Signature-256", "sha256=", forged=NO_PREFIX),
    ),
    "gitlab": Sender(
        events=(
            gitlab_event("push", "Push Hook"),
            gitlab_event("merge_request", "Merge Request Hook"),
        ),
        forms=gitlab(),
    ),
    "grafana": Sender(
        events=(event("firing", None), event("resolved", None)), forms=grafana()
    ),
    "hubspot-v1": Sender(
        events=(HUBSPOT,),
        forms={
            "": Form(
                sign=sign_hubspot_v1,
                covered=Covered(signature="X-HubSpot-Signature", is_hex=True),
            )
        },
    ),
    "hubspot-v2": Sender(
        events=(event("workflow", "ap-1002003-400500-7-0"),),
        forms={
            "": Form(
                sign=sign_hubspot_v2,
                covered=Covered(
                    signature="X-HubSpot-Signature", is_hex=True, url=True, method=True
                ),
            )
        },
    ),
    "hubspot-v3": Sender(events=(HUBSPOT,), forms=hubspot_v3()),
    "intercom": Sender(
        events=(
            event(
                "conversation.user.created",
                "notif_a0000000-0000-4000-8000-000000000001",
            ),
        ),
        forms=simple(
            "X-Hub-Signature",
            "sha1=",
            "sha1",
            separator=",",
            forged={
                "no prefix": body_hmac("X-Hub-Signature", "", "sha1"),
                "sha256": body_hmac("X-Hub-Signature", "sha256="),
            },
        ),
    ),
    "jira": Sender(
        events=(jira("issue_created"), jira("comment_created")),
        forms=simple("X-Hub-Signature", "sha256=", forged=SHA1),
    ),
    "linear": Sender(
        events=(event("Issue", "d-1", Linear_Event="Issue", Linear_Delivery="d-1"),),
        forms={
            "": Form(
                sign=sign_linear,
                covered=Covered(signature="Linear-Signature", is_hex=True),
                tolerance=60,
                forged={
                    "no time": lambda s: body_hmac("Linear-Signature")(
                        s.but(body=b'{"type": "Issue"}')
                    ),
                    "a type that hides the time": lambda s: s.but(
                        content_type="text/csv"
                    ),
                },
            )
        },
    ),
    "mailgun": Sender(
        events=(
            event("delivered", "5a1f0c7e9b3d2a4c6e8f0a1b2c3d4e5f60718293a4b5c6d7e8"),
        ),
        forms=mailgun(),
    ),
    "meta": Sender(
        events=(
            event("whatsapp_business_account.messages", BODY_HASH),
            event("page", BODY_HASH),
        ),
        forms=simple("X-Hub-Signature-256", "sha256=", forged=NO_PREFIX),
        config={"verify_token": "gulls"},
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
    "scalr": Sender(
        events=(
            event(
                "run_needs_attention",
                "wd-1",
                "run:needs_attention",
                X_Scalr_Delivery_Id="wd-1",
            ),
        ),
        forms={
            hash_name: Form(
                sign=sign_scalr(hash_name),
                covered=Covered(
                    signature="X-Signature", is_hex=True, headers=("Date",)
                ),
            )
            for hash_name in ("sha256", "sha1")
        },
    ),
    "sendgrid": Sender(
        events=(event("delivered", "ZGVsaXZlcmVkLWFuYS0wMDAx"),),
        forms={
            "": Form(
                sign=sign_sendgrid,
                covered=Covered(
                    signature=f"{SENDGRID}Signature", headers=(f"{SENDGRID}Timestamp",)
                ),
                secret=b64(spki(p256_key())),
                other_secret=b64(spki(other_p256_key())),
            )
        },
    ),
    "sentry": Sender(
        events=(
            sentry("issue", "issue.created"),
            sentry("event_alert", "event_alert.triggered"),
        ),
        forms=simple("Sentry-Hook-Signature"),
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
    "slack": Sender(
        events=(
            event("message", "Ev0ANA0001"),
            event("slash_command", "1001.2002.forecast"),
            event("block_actions", "1001.2002.actions"),
        ),
        forms={
            "": with_time(
                "X-Slack-Signature", "X-Slack-Request-Timestamp", "v0:{time}:", "v0="
            )
        },
    ),
    "sns": Sender(
        events=(
            event("Notification", "55555555-0000-4000-8000-000000000005"),
            event("SubscriptionConfirmation", "55555555-0000-4000-8000-000000000006"),
        ),
        forms={hash_name: sns(hash_name) for hash_name in ("sha256", "sha1")},
        config={"topic_arn": TOPIC},
    ),
    "square": Sender(
        events=(event("payment.created", "66666666-0000-4000-8000-000000000006"),),
        forms={
            "": Form(
                sign=sign_square,
                covered=Covered(signature="x-square-hmacsha256-signature", url=True),
            )
        },
    ),
    "standardwebhooks": Sender(
        events=(event("invoice.paid", "msg_1"),), forms=standard("webhook")
    ),
    "stripe": Sender(
        events=(
            event("payment_intent.succeeded", "evt_1AnaExample0001"),
            event("customer.subscription.updated", "evt_1AnaExample0002"),
        ),
        forms={"": versioned("Stripe-Signature", tolerance=300)},
    ),
    "svix": Sender(events=(event("invoice.paid", "msg_1"),), forms=standard("svix")),
    "telegram": Sender(
        events=(event("message", "700100200"), event("callback_query", "700100201")),
        forms={"": token("X-Telegram-Bot-Api-Secret-Token")},
    ),
    "twilio": Sender(
        events=(
            event("message.received", "0c8f5a1e-6a7b-4b1c-9d2e-3f4a5b6c7d8e"),
            event("call.ringing", "1d9f6b2f-7b8c-4c2d-8e3f-405b6c7d8e9f"),
        ),
        forms=twilio(),
    ),
    "typeform": Sender(
        events=(event("form_response", "01JANAEXAMPLE00000000000A"),),
        forms=simple("Typeform-Signature", "sha256=", is_hex=False),
    ),
    "websub": Sender(
        events=(event("content", None),),
        forms={
            hash_name: simple(
                "X-Hub-Signature",
                f"{hash_name}=",
                hash_name,
                separator=",",
                forged={
                    "another hash": body_hmac("X-Hub-Signature", "sha1="),
                    "unknown hash": body_hmac("X-Hub-Signature", "md5=", "md5"),
                },
            )[""]
            for hash_name in ("sha512", "sha384", "sha256", "sha1")
        },
    ),
    "zoom": Sender(
        events=(event("meeting.started", BODY_HASH),),
        forms={
            "": with_time(
                "x-zm-signature", "x-zm-request-timestamp", "v0:{time}:", "v0="
            )
        },
    ),
}


def unsigned(slug: str, event: Event) -> Sent:
    sent = sample(slug, event.sample)
    return sent.but(headers={**sent.headers, **event.headers})


def signed(slug: str, sample_name: str = "", form_name: str = "") -> Sent:
    """Return a signed sample; without names the first event, in the first form."""
    sender = SENDERS[slug]
    events = {event.sample: event for event in sender.events}
    event = events[sample_name] if sample_name else sender.events[0]
    form = sender.forms[form_name or next(iter(sender.forms))]
    return form.sign(unsigned(slug, event).but(secret=form.secret))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sample of one sender, signed in one of its forms."""

    name: str
    event: Event
    form: Form
    sent: Sent


def rows() -> Iterator[Row]:
    for slug, sender in SENDERS.items():
        for event in sender.events:
            for form_name, form in sender.forms.items():
                yield Row(
                    name=" ".join(filter(None, (slug, event.sample, form_name))),
                    event=event,
                    form=form,
                    sent=signed(slug, event.sample, form_name),
                )


ROWS = list(rows())
