"""What each shipped sender sends, where it is not the same for all.

A new type needs a row here only if it has another body, another place for its delivery
id, or a private key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from senders.definitions import BodyHashSource, resolve
from senders.signatures import SignedRequest, sign_request
from tests.senders.sender_keys import (
    certificate,
    ecdsa_signature,
    ed25519_key,
    p256_key,
    raw_public,
    rsa_signature,
    spki,
)

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BODY = b'{"type": "push", "id": "delivery-1"}'


def add_blank(body: bytes) -> bytes:
    return body + b" "


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A delivery of one type: `tamper` changes something that is signed.

    Without a `delivery_id` each repetition is an event of its own, unless the type
    takes the hash of the body for one. `sign` is for senders whose private key nobody
    else has, and `secret` is then its public part. `config` is what an endpoint needs,
    and `status` what an accepted delivery is answered with.
    """

    body: bytes = BODY
    content_type: str = JSON
    delivery_id: str | None = "delivery-1"
    tamper: Callable[[bytes], bytes] = add_blank
    secret: str | None = None
    sign: Callable[[bytes], SignedRequest] | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


def sample_of(slug: str) -> Sample:
    return SAMPLES.get(slug, Sample())


def delivery_id(slug: str, body: bytes) -> str | None:
    """Return the delivery id with which the sample is recorded now."""
    for source in resolve(slug).delivery_id:
        if isinstance(source, BodyHashSource) and sample_of(slug).delivery_id is None:
            window = int(time.time()) // source.window_seconds
            return f"sha256:{hashlib.sha256(body).hexdigest()}@{window}"
    return sample_of(slug).delivery_id


def signed_request(slug: str, *, secret: str | None, url: str) -> SignedRequest:
    """Return the sample as its sender delivers it."""
    sample = sample_of(slug)
    if sample.sign is not None:
        return sample.sign(sample.body)
    return sign_request(
        slug,
        secret=secret,
        body=sample.body,
        now=time.time(),
        delivery_id="delivery-1",
        event_type="push",
        url=url,
        headers={"Content-Type": sample.content_type},
    )


def _sign_discord(body: bytes) -> SignedRequest:
    timestamp = str(int(time.time()))
    headers = {
        "X-Signature-Timestamp": timestamp,
        "X-Signature-Ed25519": ed25519_key().sign(timestamp.encode() + body).hex(),
    }
    return SignedRequest(headers=headers, body=body)


def _sign_sendgrid(body: bytes) -> SignedRequest:
    name, timestamp = "X-Twilio-Email-Event-Webhook-", str(int(time.time()))
    signature = ecdsa_signature(timestamp.encode() + body)
    headers = {f"{name}Timestamp": timestamp, f"{name}Signature": signature}
    return SignedRequest(headers=headers, body=body)


def _sign_sns(body: bytes) -> SignedRequest:
    fields = json.loads(body)
    names = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    content = "".join(f"{name}\n{fields[name]}\n" for name in names)
    signature = rsa_signature(content.encode())
    return SignedRequest(
        headers={}, body=json.dumps({**fields, "Signature": signature}).encode()
    )


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


SNS = _json(
    Type="Notification",
    MessageId="delivery-1",
    TopicArn="arn:aws:sns:eu-west-1:1:gulls",
    Message="sample",
    Timestamp="2026-01-01T00:00:00.000Z",
    SignatureVersion="2",
    SigningCertURL="https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
)

SAMPLES = {
    "alertmanager": Sample(body=_json(status="firing", alerts=[]), delivery_id=None),
    "calendly": Sample(
        body=_json(event="a", created_at="b", payload={"uri": "delivery-1"}),
        delivery_id="delivery-1\na\nb",
    ),
    "cloudevents": Sample(
        body=_json(specversion="1.0", type="a.b", source="/gulls", id="delivery-1"),
        content_type="application/cloudevents+json",
        delivery_id="/gulls\ndelivery-1",
        status=202,
    ),
    "discord": Sample(
        secret=raw_public(ed25519_key()).hex(), sign=_sign_discord, status=204
    ),
    "meta": Sample(
        body=_json(object="page"), delivery_id=None, config={"verify_token": "gulls"}
    ),
    "mailgun": Sample(
        body=_json(
            signature={"token": "delivery-1"}, **{"event-data": {"event": "delivered"}}
        ),
        tamper=lambda body: body.replace(b"delivery-1", b"delivery-2"),
    ),
    "pagerduty": Sample(body=_json(event={"id": "delivery-1", "event_type": "a.b"})),
    "sendgrid": Sample(
        body=_json(sg_event_id="delivery-1", event="open"),
        secret=base64.b64encode(spki(p256_key())).decode(),
        sign=_sign_sendgrid,
    ),
    "slack": Sample(body=_json(event_id="delivery-1", event={"type": "message"})),
    "sns": Sample(
        body=SNS,
        secret=certificate(),
        sign=_sign_sns,
        config={"topic_arn": "arn:aws:sns:eu-west-1:1:gulls"},
        tamper=lambda body: body.replace(b"sample", b"other"),
    ),
    "square": Sample(body=_json(event_id="delivery-1", type="payment.created")),
    "telegram": Sample(body=_json(update_id="delivery-1", message={})),
    "twilio": Sample(
        body=urlencode({"CallStatus": "ringing"}).encode(),
        content_type=FORM,
        tamper=lambda body: body + b"&x=1",
    ),
    "typeform": Sample(body=_json(event_id="delivery-1", event_type="form_response")),
    "docusign": Sample(
        body=_json(event="a", generatedDateTime="b", data={"envelopeId": "delivery-1"}),
        delivery_id="delivery-1\na\nb",
    ),
    "hubspot-v2": Sample(body=_json(callbackId="delivery-1")),
    **{
        slug: Sample(
            body=_json(subscriptionId=1, eventId="delivery-1", occurredAt=2),
            delivery_id="1\ndelivery-1\n2",
        )
        for slug in ("hubspot-v1", "hubspot-v3")
    },
    **{
        slug: Sample(delivery_id=None)
        for slug in (
            "grafana",
            "websub",
            "zoom",
        )
    },
}


def covers_body(slug: str) -> bool:
    """Tell whether the sender's signature would show a change of the body."""
    return (
        slug not in {"alertmanager", "cloudevents", "telegram"}
        and resolve(slug).signature is not None
    )
