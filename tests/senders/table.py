"""One table of the shipped senders: what each sends, and how it signs that.

A new sender needs one row. The parametrized tests of all senders read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.senders.forms import (
    BASIC,
    BEARER,
    BODY_HASH,
    Covered,
    Event,
    Form,
    Sender,
    body_hmac,
    event,
    only,
    simple,
    token,
    versioned,
    with_time,
)
from tests.senders.requests import Sent, b64, sample
from tests.senders.sender_keys import (
    ed25519_key,
    other_p256_key,
    p256_key,
    raw_public,
    spki,
)
from tests.senders.signers import (
    SENDGRID,
    bitbucket,
    calendly,
    convoy,
    docusign,
    gitea,
    github,
    gitlab,
    gitlab_event,
    gogs,
    grafana,
    hubspot_v3,
    jira,
    mailgun,
    sentry,
    sign_discord,
    sign_hubspot_v1,
    sign_hubspot_v2,
    sign_linear,
    sign_scalr,
    sign_sendgrid,
    sns,
    standard,
    twilio,
)
from tests.senders.table_of_work import SENDERS_FOR_WORK

TOPIC = "arn:aws:sns:eu-west-1:123456789012:reports"
STATION = "https://weather.example/stations/porto"
ENVELOPE = "bbbb1111-0000-4000-8000-000000000002"


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
        events=(calendly("invitee.created"),),
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
            event("message_component", "1300000000000000002"),
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
        events=(
            gitea("push"),
            gitea("pull_request"),
            gitea("release"),
            gitea("issue_comment"),
        ),
        forms=simple("X-Gitea-Signature"),
    ),
    "github": Sender(
        events=(
            github("push"),
            github("pull_request"),
            github("issues"),
            github("pull_request_review"),
            github("release"),
            github("workflow_run"),
        ),
        forms=simple("X-Hub-Signature-256", "sha256=", forged=NO_PREFIX),
    ),
    "gitlab": Sender(
        events=(
            gitlab_event("push", "Push Hook"),
            gitlab_event("merge_request", "Merge Request Hook"),
            gitlab_event("note", "Note Hook"),
            gitlab_event("tag_push", "Tag Push Hook"),
        ),
        forms=gitlab(),
    ),
    "gogs": Sender(
        events=(
            gogs("push"),
            gogs("pull_request"),
            gogs("release"),
            gogs("issue_comment"),
        ),
        forms=simple("X-Gogs-Signature"),
    ),
    "grafana": Sender(
        events=(event("firing", None), event("resolved", None)), forms=grafana()
    ),
    "hubspot-v1": Sender(
        events=(HUBSPOT,),
        forms=only(
            sign_hubspot_v1, Covered(signature="X-HubSpot-Signature", is_hex=True)
        ),
    ),
    "hubspot-v2": Sender(
        events=(event("workflow", "ap-1002003-400500-7-0"),),
        forms={
            "": Form(
                sign=sign_hubspot_v2,
                covered=Covered(
                    signature="X-HubSpot-Signature", is_hex=True, url=True, method=True
                ),
            ),
            **{f"v3 {name}".strip(): form for name, form in hubspot_v3().items()},
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
                        content_type="text/xml"
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
    "slack": Sender(
        events=(
            event("message", "Ev0ANA0001"),
            event("slash_command", "1001.2002.forecast"),
            event("block_actions", "1001.2002.actions"),
            event("reaction_added", "Ev0ANA0002"),
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
    "standardwebhooks": Sender(
        events=(event("invoice.paid", "msg_1"),), forms=standard("webhook")
    ),
    "svix": Sender(events=(event("invoice.paid", "msg_1"),), forms=standard("svix")),
    "telegram": Sender(
        events=(
            event("message", "700100200"),
            event("callback_query", "700100201"),
            event("channel_post", "700100202"),
            event("edited_message", "700100203"),
            event("inline_query", "700100204"),
        ),
        forms={"": token("X-Telegram-Bot-Api-Secret-Token")},
    ),
    "twilio": Sender(
        events=(
            event("message.received", "0c8f5a1e-6a7b-4b1c-9d2e-3f4a5b6c7d8e"),
            event("call.ringing", "1d9f6b2f-7b8c-4c2d-8e3f-405b6c7d8e9f"),
            event("call.in-progress", "3f1b8d41-9dae-4e4f-8a51-627e8f9a0b1c"),
            event("recording.completed", "2e0a7c30-8c9d-4d3e-9f40-516d7e8f9a0b"),
        ),
        forms=twilio(),
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
        events=(
            event("meeting.started", BODY_HASH),
            event("meeting.participant_joined", BODY_HASH),
        ),
        forms={
            "": with_time(
                "x-zm-signature", "x-zm-request-timestamp", "v0:{time}:", "v0="
            )
        },
    ),
    **SENDERS_FOR_WORK,
}


def unsigned(slug: str, of: Event) -> Sent:
    sent = sample(slug, of.sample)
    return sent.but(headers={**sent.headers, **of.headers})


def signed(slug: str, sample_name: str = "", form_name: str = "") -> Sent:
    """Return a signed sample; without names the first event, in the first form."""
    sender = SENDERS[slug]
    events = {each.sample: each for each in sender.events}
    chosen = events[sample_name] if sample_name else sender.events[0]
    form = sender.forms[form_name or next(iter(sender.forms))]
    return form.sign(unsigned(slug, chosen).but(secret=form.secret))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sample of one sender, signed in one of its forms."""

    name: str
    event: Event
    form: Form
    sent: Sent


ROWS = [
    Row(
        name=" ".join(filter(None, (slug, each.sample, form_name))),
        event=each,
        form=form,
        sent=signed(slug, each.sample, form_name),
    )
    for slug, sender in SENDERS.items()
    for each in sender.events
    for form_name, form in sender.forms.items()
]
