"""One signed request of each sender, made without the code that verifies.

`Covered` says what a signature of the sender vouches for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from senders.signatures import verify_request
from tests.senders.sender_keys import (
    certificate,
    ecdsa_signature,
    ed25519_key,
    p256_key,
    raw_public,
    rsa_signature,
    spki,
)
from tests.webhooks.senders import KEY, NOW, SECRET, URL, WHSEC

FORM = "application/x-www-form-urlencoded"
BODY = b'{"gulls": 3}'
TIME = str(NOW)
CERTIFICATE_URL = (
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem"
)


@dataclass(frozen=True, kw_only=True)
class Covered:
    """What can't change unnoticed, beside the signature itself.

    `signature` is the header it is in, None if it is in the body; `headers` are
    others that are signed or checked.
    """

    signature: str | None
    separator: str | None = None
    is_hex: bool = False
    headers: tuple[str, ...] = ()
    body: bool = True
    url: bool = False
    method: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    slug: str
    secret: str = SECRET
    method: str = "POST"
    url: str = URL
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = BODY
    now: float | None = NOW

    def verify(self) -> None:
        verify_request(
            self.slug,
            secrets=[self.secret],
            method=self.method,
            url=self.url,
            headers=self.headers,
            body=self.body,
            now=self.now,
        )


def mac(content: bytes, hash_name: str = "sha256", key: bytes = b"") -> bytes:
    return hmac.new(key or SECRET.encode(), content, hash_name).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


HEX_OF_BODY = mac(BODY).hex()
B64_OF_BODY = b64(mac(BODY))

ONE_HEADER = {
    "bitbucket": ("X-Hub-Signature", "sha256=" + HEX_OF_BODY, True),
    "jira": ("X-Hub-Signature", "sha256=" + HEX_OF_BODY, True),
    "generic": ("X-Webhook-Signature", HEX_OF_BODY, True),
    "github": ("X-Hub-Signature-256", "sha256=" + HEX_OF_BODY, True),
    "gitea": ("X-Gitea-Signature", HEX_OF_BODY, True),
    "meta": ("X-Hub-Signature-256", "sha256=" + HEX_OF_BODY, True),
    "sentry": ("Sentry-Hook-Signature", HEX_OF_BODY, True),
    "shopify": ("X-Shopify-Hmac-Sha256", B64_OF_BODY, False),
    "docusign": ("X-DocuSign-Signature-1", B64_OF_BODY, False),
    "typeform": ("Typeform-Signature", "sha256=" + B64_OF_BODY, False),
    "convoy-hex": ("X-Convoy-Signature", mac(BODY, "sha512").hex(), True),
    "convoy-b64": ("X-Convoy-Signature", b64(mac(BODY, "sha512")), False),
}
LISTS = {
    "intercom": ("X-Hub-Signature", "sha1=" + mac(BODY, "sha1").hex()),
    "pagerduty": ("X-PagerDuty-Signature", "v1=" + HEX_OF_BODY),
    "websub": ("X-Hub-Signature", "sha384=" + mac(BODY, "sha384").hex()),
}
COVERED: dict[str, Covered] = {
    **{
        slug: Covered(signature=name, is_hex=is_hex)
        for slug, (name, _, is_hex) in ONE_HEADER.items()
    },
    **{
        slug: Covered(signature=name, separator=",", is_hex=True)
        for slug, (name, _) in LISTS.items()
    },
    "calendly": Covered(
        signature="Calendly-Webhook-Signature", separator=",", is_hex=True
    ),
    "alertmanager": Covered(signature="Authorization", body=False),
    "cloudevents": Covered(signature="Authorization", body=False),
    "discord": Covered(
        signature="X-Signature-Ed25519",
        is_hex=True,
        headers=("X-Signature-Timestamp",),
    ),
    "gitlab": Covered(signature="X-Gitlab-Token", body=False),
    "grafana": Covered(
        signature="X-Grafana-Alerting-Signature",
        is_hex=True,
        headers=("X-Grafana-Alerting-Timestamp",),
    ),
    "hubspot-v1": Covered(signature="X-HubSpot-Signature", is_hex=True),
    "hubspot-v2": Covered(
        signature="X-HubSpot-Signature", is_hex=True, url=True, method=True
    ),
    "hubspot-v3": Covered(
        signature="X-HubSpot-Signature-v3",
        headers=("X-HubSpot-Request-Timestamp",),
        url=True,
        method=True,
    ),
    "linear": Covered(signature="Linear-Signature", is_hex=True),
    "mailgun": Covered(signature=None),
    "scalr": Covered(signature="X-Signature", is_hex=True, headers=("Date",)),
    "sendgrid": Covered(
        signature="X-Twilio-Email-Event-Webhook-Signature",
        headers=("X-Twilio-Email-Event-Webhook-Timestamp",),
    ),
    "slack": Covered(
        signature="X-Slack-Signature",
        is_hex=True,
        headers=("X-Slack-Request-Timestamp",),
    ),
    "sns": Covered(signature=None),
    "square": Covered(signature="x-square-hmacsha256-signature", url=True),
    "standardwebhooks": Covered(
        signature="webhook-signature",
        separator=" ",
        headers=("webhook-id", "webhook-timestamp"),
    ),
    "stripe": Covered(signature="Stripe-Signature", separator=",", is_hex=True),
    "svix": Covered(
        signature="svix-signature",
        separator=" ",
        headers=("svix-id", "svix-timestamp"),
    ),
    "telegram": Covered(signature="X-Telegram-Bot-Api-Secret-Token", body=False),
    "twilio": Covered(signature="X-Twilio-Signature", url=True),
    "zoom": Covered(
        signature="x-zm-signature", is_hex=True, headers=("x-zm-request-timestamp",)
    ),
}


def signed_requests() -> Iterator[Request]:
    """Yield a request of each sender, of some in each form that they have."""
    for slug, (name, value, _) in ONE_HEADER.items():
        yield Request(slug=slug, headers={name: value})
    for slug, (name, value) in LISTS.items():
        yield Request(slug=slug, headers={name: value})
    yield from _with_timestamps()
    yield from _with_urls()
    yield from _with_ids()
    yield from _with_tokens()
    yield from _with_public_keys()
    yield from _with_fields()


def _with_timestamps() -> Iterator[Request]:
    for slug, name in (
        ("stripe", "Stripe-Signature"),
        ("calendly", "Calendly-Webhook-Signature"),
    ):
        value = f"t={TIME},v1={mac(f'{TIME}.'.encode() + BODY).hex()}"
        yield Request(slug=slug, headers={name: value})
    versioned = "v0=" + mac(f"v0:{TIME}:".encode() + BODY).hex()
    for slug, name, time_name in (
        ("slack", "X-Slack-Signature", "X-Slack-Request-Timestamp"),
        ("zoom", "x-zm-signature", "x-zm-request-timestamp"),
    ):
        yield Request(slug=slug, headers={name: versioned, time_name: TIME})
    grafana = mac(f"{TIME}:".encode() + BODY).hex()
    name = "X-Grafana-Alerting-"
    headers = {f"{name}Signature": grafana, f"{name}Timestamp": TIME}
    yield Request(slug="grafana", headers=headers)
    day = "Thu 07 Sep 2017 06:30:04 UTC"
    for hash_name in ("sha1", "sha256"):
        scalr = mac(BODY + day.encode(), hash_name).hex()
        headers = {"X-Signature": scalr, "Date": day}
        yield Request(slug="scalr", headers=headers, now=None)
    body = json.dumps({"webhookTimestamp": NOW * 1000}).encode()
    yield Request(
        slug="linear", headers={"Linear-Signature": mac(body).hex()}, body=body
    )


def _with_urls() -> Iterator[Request]:
    square = b64(mac(URL.encode() + BODY))
    yield Request(slug="square", headers={"x-square-hmacsha256-signature": square})
    one = hashlib.sha256(SECRET.encode() + BODY).hexdigest()
    yield Request(slug="hubspot-v1", headers={"X-HubSpot-Signature": one})
    two = hashlib.sha256(f"{SECRET}POST{URL}".encode() + BODY).hexdigest()
    yield Request(slug="hubspot-v2", headers={"X-HubSpot-Signature": two})
    three = mac(f"POST{URL}?at=a:b/c%20d".encode() + BODY + f"{TIME}000".encode())
    yield Request(
        slug="hubspot-v3",
        url=f"{URL}?at=a%3Ab%2Fc%20d",
        headers={
            "X-HubSpot-Signature-v3": b64(three),
            "X-HubSpot-Request-Timestamp": f"{TIME}000",
        },
    )
    yield from _of_twilio()


def _of_twilio() -> Iterator[Request]:
    content = URL + "Body" + "a b" + "To" + "+49"
    yield Request(
        slug="twilio",
        headers={
            "X-Twilio-Signature": b64(mac(content.encode(), "sha1")),
            "Content-Type": FORM,
        },
        body=b"To=%2B49&Body=a+b",
    )
    url = f"{URL}?bodySHA256={hashlib.sha256(BODY).hexdigest()}"
    yield Request(
        slug="twilio",
        url=url,
        headers={
            "X-Twilio-Signature": b64(mac(url.encode(), "sha1")),
            "Content-Type": "application/json",
        },
    )


def _with_ids() -> Iterator[Request]:
    content = f"msg_1.{TIME}.".encode() + BODY
    signature = "v1," + b64(mac(content, key=KEY))
    asymmetric = "v1a," + b64(ed25519_key().sign(content))
    public = "whpk_" + b64(raw_public(ed25519_key()))
    for slug, prefix in (
        ("standardwebhooks", "webhook"),
        ("svix", "svix"),
        ("gitlab", "webhook"),
    ):
        headers = {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": TIME}
        signed = {**headers, f"{prefix}-signature": signature}
        yield Request(slug=slug, secret=WHSEC, headers=signed)
        if slug != "gitlab":
            signed = {**headers, f"{prefix}-signature": asymmetric}
            yield Request(slug=slug, secret=public, headers=signed)


def _with_tokens() -> Iterator[Request]:
    yield Request(slug="gitlab", headers={"X-Gitlab-Token": SECRET}, now=None)
    for slug in ("alertmanager", "cloudevents"):
        bearer = {"Authorization": f"Bearer {SECRET}"}
        yield Request(slug=slug, headers=bearer, now=None)
    name = "X-Telegram-Bot-Api-Secret-Token"
    yield Request(slug="telegram", headers={name: SECRET}, now=None)


def _with_public_keys() -> Iterator[Request]:
    content = TIME.encode() + BODY
    yield Request(
        slug="discord",
        secret=raw_public(ed25519_key()).hex(),
        headers={
            "X-Signature-Ed25519": ed25519_key().sign(content).hex(),
            "X-Signature-Timestamp": TIME,
        },
        now=0,
    )
    name = "X-Twilio-Email-Event-Webhook-"
    yield Request(
        slug="sendgrid",
        secret=b64(spki(p256_key())),
        headers={
            f"{name}Signature": ecdsa_signature(content),
            f"{name}Timestamp": TIME,
        },
        now=None,
    )


def _with_fields() -> Iterator[Request]:
    signature = mac(f"{TIME}abc".encode()).hex()
    fields = {"timestamp": TIME, "token": "abc", "signature": signature}
    yield Request(
        slug="mailgun", body=json.dumps({"signature": fields}).encode(), now=None
    )
    form = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    yield Request(slug="mailgun", body=form, headers={"Content-Type": FORM}, now=None)
    for version, hash_name in (("1", "sha1"), ("2", "sha256")):
        message = sns_message(SignatureVersion=version)
        message["Signature"] = rsa_signature(sns_content(message), hash_name)
        body = json.dumps(message).encode()
        yield Request(slug="sns", secret=certificate(), body=body)


def sns_message(**fields: str) -> dict[str, str]:
    return {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:gulls",
        "Subject": "Gulls",
        "Message": "three\nof them",
        "Timestamp": "2026-01-01T00:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
        **fields,
    }


def sns_content(message: dict[str, str]) -> bytes:
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if message["Type"] != "Notification":
        names[2:4] = ["SubscribeURL", "Timestamp", "Token"]
    lines = [f"{name}\n{message[name]}\n" for name in names if name in message]
    return "".join(lines).encode()
