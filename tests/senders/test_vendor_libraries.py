"""Compares signatures with the senders' own libraries, in both directions.

A request that is signed here must be valid for the sender's verifier, and a request
that the sender's library signs must be valid here. For a library without a function
that signs, it is a request that the library accepts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import Adyen.util as adyen
import convoy.utils.webhook as convoy
import discord_interactions
import gidgethub
import gidgethub.sansio
import gidgetlab
import gidgetlab.sansio
import mailgun.security
import pytest
import pywa.utils
import sendgrid.helpers.eventwebhook as sendgrid
import slack_sdk.signature as slack
import square.utils.webhooks_helper as square
import standardwebhooks
import stripe
import svix.webhooks as svix
import twilio.request_validator as twilio
from cloudevents.core.bindings import http as cloudevents
from cloudevents.core.v1.event import CloudEvent
from hubspot.utils.signature import Signature as HubSpot
from paddle_billing.Notifications.PaddleSignature import PaddleSignature
from paddle_billing.Notifications.Secret import Secret as PaddleSecret

from senders.definitions import resolve
from senders.parsing.cloudevents import find_event_faults
from senders.signatures import InvalidSignature, sign_for
from tests.senders.requests import Sent, finder, identify
from tests.senders.table import SENDERS, unsigned

Sign = Callable[[Sent], Sent]


@dataclass(frozen=True, kw_only=True)
class Library:
    """What a library does: it verifies a request, and perhaps signs one."""

    verify: Callable[[Sent], bool]
    sign: Sign | None = None


def header(sent: Sent, name: str) -> str:
    lower = {key.lower(): value for key, value in sent.all_headers.items()}
    return lower[name.lower()]


def raises_nothing(call: Callable[[], object], *errors: type[Exception]) -> bool:
    try:
        call()
    except errors:
        return False
    return True


def _stripe() -> Library:
    made = stripe.WebhookSignature
    name = "Stripe-Signature"
    return Library(
        verify=lambda sent: raises_nothing(
            lambda: made.verify_header(
                sent.body.decode(), header(sent, name), sent.secret, 300
            ),
            stripe.SignatureVerificationError,
        ),
        sign=lambda sent: sent.plus(
            Stripe_Signature=made.generate_signature_header(
                sent.body.decode(), sent.secret, int(sent.time)
            )
        ),
    )


def _slack() -> Library:
    return Library(
        verify=lambda sent: slack.SignatureVerifier(sent.secret).is_valid_request(
            sent.body, dict(sent.headers)
        ),
        sign=lambda sent: sent.plus(
            X_Slack_Request_Timestamp=sent.time,
            X_Slack_Signature=slack.SignatureVerifier(sent.secret).generate_signature(
                timestamp=sent.time, body=sent.body
            ),
        ),
    )


def _twilio(algorithm: str) -> Library:
    def fields(sent: Sent) -> dict[str, str]:
        return dict(parse_qsl(sent.body.decode(), keep_blank_values=True))

    def sign(sent: Sent) -> Sent:
        validator = twilio.RequestValidator(sent.secret)
        made = validator.compute_signature(sent.url, fields(sent), algorithm)
        return sent.plus(X_Twilio_Signature=made)

    return Library(
        verify=lambda sent: twilio.RequestValidator(sent.secret).validate(
            sent.url, fields(sent), header(sent, "X-Twilio-Signature"), algorithm
        ),
        sign=sign,
    )


def _standard(webhook: Any, error: type[Exception], prefix: str) -> Library:
    def sign(sent: Sent) -> Sent:
        at = datetime.fromtimestamp(int(sent.time), UTC)
        made = webhook(sent.secret).sign("msg_1", at, sent.body.decode())
        return sent.but(
            headers={
                f"{prefix}-id": "msg_1",
                f"{prefix}-timestamp": sent.time,
                f"{prefix}-signature": made,
            }
        )

    return Library(
        verify=lambda sent: raises_nothing(
            lambda: webhook(sent.secret).verify(sent.body, dict(sent.headers)), error
        ),
        sign=sign,
    )


def _hubspot(version: str) -> Library:
    name = "X-HubSpot-Signature" + ("-v3" if version == "v3" else "")

    def of(sent: Sent) -> Mapping[str, str | None]:
        lower = {key.lower(): value for key, value in sent.headers.items()}
        return {
            "client_secret": sent.secret,
            "request_body": sent.body.decode(),
            "signature_version": version,
            "http_uri": sent.url,
            "http_method": sent.method,
            "timestamp": lower.get("x-hubspot-request-timestamp"),
        }

    def sign(sent: Sent) -> Sent:
        timed = sent.plus(X_HubSpot_Request_Timestamp=f"{sent.time}000")
        return timed.plus(**{name: HubSpot.get_signature(**of(timed))})

    return Library(
        verify=lambda sent: HubSpot.is_valid(signature=header(sent, name), **of(sent)),
        sign=sign,
    )


def _convoy(encoding: str) -> Library:
    def webhook(sent: Sent) -> Any:
        return convoy.Webhook(secret=sent.secret, encoding=encoding, hash="sha512")

    return Library(
        # It returns None for a valid signature in base64, and a text for a wrong one.
        verify=lambda sent: (
            webhook(sent).verify_signature(
                sent.body.decode(), header(sent, "X-Convoy-Signature")
            )
            in (True, None)
        ),
        sign=lambda sent: sent.plus(
            X_Convoy_Signature=webhook(sent).create_signature(sent.body.decode())
        ),
    )


def _paddle() -> Library:
    def sign(sent: Sent) -> Sent:
        content = f"{sent.time}:".encode() + sent.body
        made = PaddleSignature.calculate_hmac(sent.secret, content).hexdigest()
        return sent.plus(Paddle_Signature=f"ts={sent.time};h1={made}")

    return Library(
        verify=lambda sent: PaddleSignature().verify(
            header(sent, "Paddle-Signature"),
            sent.body.decode(),
            PaddleSecret(sent.secret),
        ),
        sign=sign,
    )


def _adyen() -> Library:
    def sign(sent: Sent) -> Sent:
        document = json.loads(sent.body)
        item = document["notificationItems"][0]["NotificationRequestItem"]
        item.pop("additionalData", None)
        made = adyen.generate_notification_sig(item, sent.secret).decode()
        item["additionalData"] = {"hmacSignature": made}
        return sent.but(body=json.dumps(document).encode())

    return Library(
        verify=lambda sent: adyen.is_valid_hmac_notification(
            json.loads(sent.body), sent.secret
        ),
        sign=sign,
    )


def _mailgun(sent: Sent) -> bool:
    fields = json.loads(sent.body)["signature"]
    names = ("token", "timestamp", "signature")
    sent_fields = {name: str(fields[name]) for name in names}
    guard = mailgun.security.SecurityGuard
    return bool(guard.verify_webhook(sent.secret, **sent_fields))


def _gitlab(sent: Sent) -> bool:
    headers = {name.lower(): value for name, value in sent.all_headers.items()}
    return raises_nothing(
        lambda: gidgetlab.sansio.Event.from_http(
            headers, sent.body, secret=sent.secret
        ),
        gidgetlab.ValidationFailure,
    )


LIBRARIES: Mapping[str, Library] = {
    "adyen": _adyen(),
    "convoy-b64": _convoy("base64"),
    "convoy-hex": _convoy("hex"),
    "discord": Library(
        verify=lambda sent: discord_interactions.verify_key(
            sent.body,
            header(sent, "X-Signature-Ed25519"),
            header(sent, "X-Signature-Timestamp"),
            sent.secret,
        )
    ),
    "github": Library(
        verify=lambda sent: raises_nothing(
            lambda: gidgethub.sansio.validate_event(
                sent.body,
                signature=header(sent, "X-Hub-Signature-256"),
                secret=sent.secret,
            ),
            gidgethub.ValidationFailure,
        )
    ),
    "gitlab": Library(verify=_gitlab),
    "hubspot-v1": _hubspot("v1"),
    "hubspot-v2": _hubspot("v2"),
    "hubspot-v3": _hubspot("v3"),
    "mailgun": Library(verify=_mailgun),
    "meta": Library(
        verify=lambda sent: pywa.utils.webhook_updates_validator(
            sent.secret, sent.body, header(sent, "X-Hub-Signature-256")
        )
    ),
    "paddle": _paddle(),
    "sendgrid": Library(
        verify=lambda sent: sendgrid.EventWebhook(sent.secret).verify_signature(
            sent.body.decode(),
            header(sent, "X-Twilio-Email-Event-Webhook-Signature"),
            header(sent, "X-Twilio-Email-Event-Webhook-Timestamp"),
        )
    ),
    "slack": _slack(),
    "square": Library(
        verify=lambda sent: square.verify_signature(
            request_body=sent.body.decode(),
            signature_header=header(sent, "x-square-hmacsha256-signature"),
            signature_key=sent.secret,
            notification_url=sent.url,
        )
    ),
    "standardwebhooks": _standard(
        standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError, "webhook"
    ),
    "stripe": _stripe(),
    "svix": _standard(svix.Webhook, svix.WebhookVerificationError, "svix"),
    "twilio": _twilio("HMAC_SHA1"),
}
SIGNING = [slug for slug, library in LIBRARIES.items() if library.sign]

each_library = pytest.mark.parametrize("slug", LIBRARIES)


def samples(slug: str) -> Iterator[Sent]:
    """Yield the unsigned samples of a sender, with the secret of its first form."""
    secret = next(iter(SENDERS[slug].forms.values())).secret
    for event in SENDERS[slug].events:
        yield unsigned(slug, event).but(secret=secret, now=time.time())


def sign_here(sent: Sent) -> Sent:
    """Return the request as a test event would be sent."""
    assert sent.now is not None
    signed = sign_for(
        resolve(sent.slug),
        secret=sent.secret,
        body=sent.body,
        now=sent.now,
        delivery_id="d-1",
        event_type="sample",
        url=sent.url,
        headers=sent.all_headers,
        with_throw_away_key=True,
    )
    return sent.but(
        headers=signed.headers,
        body=signed.body,
        secret=signed.throw_away_secret or sent.secret,
    )


def tampered(sent: Sent) -> Sent:
    """Return the request with a change of what its signature covers."""
    changes = {
        "adyen": (b'"pspReference":"', b'"pspReference":"x'),
        "mailgun": (b'"token":"', b'"token":"x'),
    }
    if sent.slug == "gitlab":
        return sent.plus(X_Gitlab_Token="another")  # noqa: S106 - made up
    if sent.slug in changes:
        old, new = changes[sent.slug]
        compact = json.dumps(json.loads(sent.body), separators=(",", ":")).encode()
        return sent.but(body=compact.replace(old, new))
    if sent.slug == "twilio":
        return sent.but(body=sent.body + b"&x=1")
    return sent.but(body=sent.body + b" ")


def test_libraries_of_at_least_fifteen_senders_are_compared() -> None:
    assert len({slug.partition("-")[0] for slug in LIBRARIES}) >= 15


@each_library
def test_the_library_accepts_what_is_signed_here(slug: str) -> None:
    for sample in samples(slug):
        sent = sign_here(sample)

        assert LIBRARIES[slug].verify(sent)
        assert not LIBRARIES[slug].verify(tampered(sent))


@pytest.mark.parametrize("slug", SIGNING)
def test_what_the_library_signs_is_accepted_here(slug: str) -> None:
    sign = LIBRARIES[slug].sign
    assert sign is not None
    for sample in samples(slug):
        sent = sign(sample)

        sent.verify()
        with pytest.raises(InvalidSignature):
            tampered(sent).verify()


@pytest.mark.parametrize("slug", [slug for slug in LIBRARIES if slug not in SIGNING])
def test_what_the_library_accepts_is_accepted_here(slug: str) -> None:
    """The signer of the tests signs, which neither side has written."""
    form = next(iter(SENDERS[slug].forms.values()))
    for sample in samples(slug):
        sent = form.sign(sample)

        assert LIBRARIES[slug].verify(sent)
        sent.verify()
        with pytest.raises(InvalidSignature):
            tampered(sent).verify()


@pytest.mark.parametrize(
    ("slug", "version"),
    [("hubspot-v2", "v2"), ("hubspot-v2", "v3"), ("hubspot-v3", "v3")],
)
def test_hubspots_library_signs_a_url_as_it_is_called(slug: str, version: str) -> None:
    [sample] = samples(slug)
    sign = _hubspot(version).sign
    assert sign is not None

    sign(sample.but(url=f"{sample.url}?a=b%2Fc&d=%2f%5B")).verify()


def test_twilio_can_sign_with_sha256() -> None:
    """A shared key signs so, instead of the auth token."""
    library = _twilio("HMAC_SHA256")
    assert library.sign is not None

    for sample in samples("twilio"):
        sent = library.sign(sample)

        sent.verify()
        with pytest.raises(InvalidSignature):
            tampered(sent).verify()


EVENTS = [
    CloudEvent(attributes={"id": "1", "source": "/s x", "type": "a.b", **more}, data=d)
    for more, d in [
        ({"datacontenttype": "application/json"}, {"gulls": 3}),
        ({"subject": "Ünï €"}, None),
        ({"datacontenttype": "text/plain"}, "gulls"),
    ]
]


@pytest.mark.parametrize("event", EVENTS, ids=["json", "no data", "text"])
@pytest.mark.parametrize(
    "write", [cloudevents.to_binary_event, cloudevents.to_structured_event]
)
def test_an_event_of_the_cloudevents_library_is_read(
    event: Any, write: Callable[[Any], Any]
) -> None:
    message = write(event)
    headers = {name.lower(): value for name, value in message.headers.items()}
    content_type = headers.pop("content-type", "")
    sent = Sent(
        slug="cloudevents",
        body=message.body,
        content_type=content_type,
        headers=headers,
    )

    assert find_event_faults(finder(sent), is_batch=False) == []
    assert _identity(sent) == ("cloudevents.a.b", "/s x\n1")


def _identity(sent: Sent) -> tuple[str, str | None]:
    found = identify(sent)
    return found.event_type, found.delivery_id


def test_the_cloudevents_library_reads_the_samples() -> None:
    for sample in samples("cloudevents"):
        message = cloudevents.HTTPMessage(
            headers={**sample.headers, "content-type": sample.content_type},
            body=sample.body,
        )

        event = cloudevents.from_http_event(message)

        assert _identity(sample) == (
            f"cloudevents.{event.get_type()}",
            f"{event.get_source()}\n{event.get_id()}",
        )


def test_a_signature_that_a_library_refuses_is_refused_here() -> None:
    """Both sides refuse a request that is an hour old."""
    for slug in ("paddle", "slack", "standardwebhooks", "stripe", "svix"):
        sign = LIBRARIES[slug].sign
        assert sign is not None
        sample = next(samples(slug))
        old = sign(sample.but(now=time.time() - 3600))

        with pytest.raises(InvalidSignature):
            old.but(now=time.time()).verify()
        assert slug == "paddle" or not LIBRARIES[slug].verify(old)
