"""How senders for shops, sales, teams and clouds sign and name their deliveries.

The signatures are made here, without the code that verifies them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from tests.senders.forms import Covered, Event, Form, Signer, event, versioned
from tests.senders.requests import KEY, Sent, b64, mac
from tests.senders.sender_keys import KEY_ID, rsa_key

STORAGE = (
    "/subscriptions/55555555-0000-4000-8000-000000000001/resourceGroups/weather"
    "/providers/Microsoft.Storage/storageAccounts/anareports"
)
SUBSCRIPTION = "projects/ana-example/subscriptions/reports"
TWITCH_ID = "66666666-0000-4000-8000-000000000020"


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


def zendesk(name: str, type_: str) -> Event:
    return event(
        name, "8350205582", type_, X_Zendesk_Webhook_Invocation_Id="8350205582"
    )


def sign_zendesk(sent: Sent) -> Sent:
    time = iso_time(sent)
    raw = mac(time.encode() + sent.body)
    return sent.plus(
        X_Zendesk_Webhook_Signature=b64(raw), X_Zendesk_Webhook_Signature_Timestamp=time
    )


TWITCH = "Twitch-Eventsub-"


def twitch(name: str, type_: str, subscription: str) -> Event:
    return Event(
        sample=name,
        type=type_,
        delivery_id=TWITCH_ID,
        headers={
            f"{TWITCH}Message-Id": TWITCH_ID,
            f"{TWITCH}Subscription-Type": subscription,
        },
    )


def sign_twitch(sent: Sent) -> Sent:
    """Sign the id and the time, which Twitch writes with nanoseconds."""
    time = iso_time(sent).replace("Z", ".000000000Z")
    number = sent.headers[f"{TWITCH}Message-Id"]
    made = mac(f"{number}{time}".encode() + sent.body).hex()
    return sent.plus(
        **{
            f"{TWITCH}Message-Timestamp": time,
            f"{TWITCH}Message-Signature": f"sha256={made}",
        }
    )


def iso_time(sent: Sent) -> str:
    return f"{datetime.fromtimestamp(int(sent.time), UTC):%Y-%m-%dT%H:%M:%SZ}"


def graph() -> Form:
    """Return the form in which each notification contains the clientState."""

    def sign(sent: Sent, state: str = "") -> Sent:
        [notification] = json.loads(sent.body)["value"]
        return sent.with_fields(
            value=[notification | {"clientState": state or sent.secret}]
        )

    return Form(
        sign=sign,
        covered=Covered(signature=None),
        forged={
            "another state": lambda s: sign(s, "another"),
            "a longer state": lambda s: sign(s, s.secret + "x"),
            "no state": lambda s: s.but(body=s.body.replace(b"clientState", b"state")),
        },
    )


def google() -> Form:
    """Return the form with a token that is valid for some minutes around now."""
    authorization = "Authorization"

    def sign(
        sent: Sent, *, key_id: str = KEY_ID, bits: int = 2048, **other: Any
    ) -> Sent:
        now = int(sent.time)
        claims = {
            "iss": "https://accounts.google.com",
            "aud": sent.secret,
            "email": "push@ana-example.iam.gserviceaccount.com",
            "email_verified": True,
            "iat": now - 240,
            "exp": now + 240,
            **other,
        }
        headers = {"kid": key_id}
        token = jwt.encode(claims, rsa_key(bits), algorithm="RS256", headers=headers)
        return sent.plus(Authorization=f"Bearer {token}")

    def unsigned(sent: Sent) -> Sent:
        token = jwt.encode({"aud": sent.secret}, "", algorithm="none")
        return sent.plus(Authorization=f"Bearer {token}")

    def by_secret(sent: Sent) -> Sent:
        claims = jwt.decode(
            sent.headers[authorization].partition(" ")[2],
            options={"verify_signature": False},
        )
        token = jwt.encode(claims, "0" * 32, headers={"kid": KEY_ID})
        return sent.plus(Authorization=f"Bearer {token}")

    return Form(
        sign=sign,
        covered=Covered(signature=authorization, body=False),
        other_secret="an-audience-of-the-tests",  # noqa: S106 - made up for the tests
        tolerance=300,
        forged={
            "none": unsigned,
            "HS256": by_secret,
            "another issuer": lambda s: sign(s, iss="https://issuer.example"),
            "another audience": lambda s: sign(s, aud="https://hooks.example"),
            "no end": lambda s: sign(s, exp=None),
            "an end that is text": lambda s: sign(s, exp="4000000000"),
            "another key": lambda s: sign(s, bits=3072),
            "an unknown key": lambda s: sign(s, key_id="another"),
            "two tokens": lambda s: s.plus(
                Authorization=f"{s.headers[authorization]}, Bearer x"
            ),
        },
    )


def event_grid() -> Form:
    """Return the form in which the URL of the subscription contains the secret."""

    def sign(sent: Sent, code: str = "") -> Sent:
        url = sent.url.partition("?")[0]
        return sent.but(url=f"{url}?code={code or sent.secret}")

    return Form(
        sign=sign,
        covered=Covered(signature=None, body=False),
        forged={
            "another code": lambda s: sign(s, "another"),
            "a longer code": lambda s: sign(s, s.secret + "x"),
            "no code": lambda s: s.but(url=s.url.replace("code=", "cod=")),
        },
    )


def adyen() -> Form:
    """Return the form that signs some fields of the only notification."""

    def item(sent: Sent) -> dict[str, Any]:
        [only] = json.loads(sent.body)["notificationItems"]
        found: dict[str, Any] = only["NotificationRequestItem"]
        return found

    def change(**fields: object) -> Signer:
        return lambda sent: sent.with_fields(
            notificationItems=[{"NotificationRequestItem": item(sent) | fields}]
        )

    def sign(sent: Sent) -> Sent:
        made = b64(mac(adyen_content(item(sent)), key=KEY))
        return change(additionalData={"hmacSignature": made})(sent)

    return Form(
        sign=sign,
        covered=Covered(signature=None),
        secret=KEY.hex(),
        other_secret="00" * 24,
        forged={
            "amount": change(amount={"currency": "EUR", "value": 1}),
            "currency": change(amount={"currency": "USD", "value": 12900}),
            "success": change(success="false"),
            "event": change(eventCode="REFUND"),
            "account": change(merchantAccountCode="Another"),
            "reference": change(merchantReference="order-1043"),
            "original": change(originalReference="ANAEXAMPLE000009"),
            "payment": change(pspReference="ANAEXAMPLE000009"),
            "no signature": change(additionalData={}),
        },
    )


def adyen_content(item: Mapping[str, Any]) -> bytes:
    names = ("pspReference", "originalReference", "merchantAccountCode")
    amount = item["amount"]
    values = [item.get(name, "") for name in (*names, "merchantReference")]
    values += [amount["value"], amount["currency"], item["eventCode"], item["success"]]
    return ":".join(map(str, values)).encode()


def paddle() -> Form:
    return versioned(
        "Paddle-Signature",
        300,
        ":",
        time_name="ts",
        version="h1",
        separator=";",
    )
