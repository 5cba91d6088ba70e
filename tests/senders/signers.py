"""How single senders sign and name their deliveries.

The signatures are made here, without the code that verifies them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from tests.senders.forms import (
    BASIC,
    BEARER,
    Covered,
    Event,
    Form,
    Signer,
    body_hmac,
    event,
    simple,
    token,
    with_time,
)
from tests.senders.requests import (
    FORM,
    JSON,
    KEY,
    WHSEC,
    Sent,
    b64,
    mac,
    sample,
    standard_headers,
)
from tests.senders.sender_keys import (
    certificate,
    ecdsa_signature,
    ed25519_key,
    raw_public,
    rsa_signature,
)

WHPK = "whpk_" + b64(raw_public(ed25519_key()))
OTHER_WHSEC = "whsec_" + b64(bytes(24))


def bitbucket(name: str, key: str) -> Event:
    number = "{1f0a7a8c-1c77-4f6d-8d3c-2f1f3d0f9d11}"
    return event(name, number, key, X_Event_Key=key, X_Request_UUID=number)


def calendly(name: str) -> Event:
    scheduled = "0a000000-0000-4000-8000-000000000001"
    invitee = "0a000000-0000-4000-8000-000000000003"
    uri = f"https://api.calendly.com/scheduled_events/{scheduled}/invitees/{invitee}"
    return event(name, f"{uri}\n{name}\n2026-11-20T09:15:00.000000Z")


def jira(name: str) -> Event:
    number = "6f1c2a90-0b1c-4b7c-a1df-0f3b2e8c7d55"
    return event(name, number, X_Atlassian_Webhook_Identifier=number)


def gitea(name: str) -> Event:
    return event(name, "a3ac4c9b", X_Gitea_Event=name, X_Gitea_Delivery="a3ac4c9b")


def gogs(name: str) -> Event:
    return event(name, "b4bd5d0c", X_Gogs_Event=name, X_Gogs_Delivery="b4bd5d0c")


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


def convoy(*, is_hex: bool) -> dict[str, Form]:
    """Return the simple and the advanced form, each with both hashes."""
    header = "X-Convoy-Signature"

    def advanced(hash_name: str) -> Signer:
        def sign(sent: Sent) -> Sent:
            raw = mac(f"{sent.time},".encode() + sent.body, hash_name)
            made = raw.hex() if is_hex else b64(raw)
            return sent.plus(**{header: f"t={sent.time},v1={made}"})

        return sign

    forms = {}
    for hash_name in ("sha512", "sha256"):
        forms[hash_name] = Form(
            sign=body_hmac(header, "", hash_name, is_hex=is_hex),
            covered=Covered(signature=header, is_hex=is_hex),
        )
        forms[f"{hash_name} with a time"] = Form(
            sign=advanced(hash_name),
            covered=Covered(signature=header, separator=",", is_hex=is_hex),
            tolerance=300,
            forged={
                "a later time": lambda s: s.plus(
                    **{header: s.headers[header].replace("t=1", "t=2")}
                )
            },
        )
    return forms


def standard(prefix: str) -> dict[str, Form]:
    """Return the forms of Standard Webhooks, with a shared and with a public key."""
    headers = (f"{prefix}-id", f"{prefix}-timestamp")
    covered = Covered(signature=f"{prefix}-signature", separator=" ", headers=headers)

    def sign_shared(sent: Sent) -> Sent:
        made = standard_headers(sent.body, signed_at=sent.time)
        return sent.plus(
            **{
                name.lower().replace("webhook", prefix): value
                for name, value in made.items()
            }
        )

    def sign_public(sent: Sent) -> Sent:
        content = f"msg_1.{sent.time}.".encode() + sent.body
        signature = "v1a," + b64(ed25519_key().sign(content))
        return sign_shared(sent).plus(**{f"{prefix}-signature": signature})

    return {
        "shared": Form(
            sign=sign_shared,
            covered=covered,
            secret=WHSEC,
            other_secret=OTHER_WHSEC,
            tolerance=300,
        ),
        "public": Form(
            sign=sign_public,
            covered=covered,
            secret=WHPK,
            other_secret="whpk_" + b64(bytes(32)),
            tolerance=300,
        ),
    }


def gitlab() -> dict[str, Form]:
    """Return the forms of GitLab, with the secret token and with a signing token."""

    def sign(sent: Sent) -> Sent:
        number = sent.headers["Idempotency-Key"]
        content = f"{number}.{sent.time}.".encode() + sent.body
        signature = "v1," + b64(mac(content, key=KEY))
        return sent.plus(
            webhook_id=number, webhook_timestamp=sent.time, webhook_signature=signature
        )

    signing = Form(
        sign=sign,
        covered=Covered(
            signature="webhook-signature",
            separator=" ",
            headers=("webhook-id", "webhook-timestamp"),
        ),
        secret=WHSEC,
        other_secret=OTHER_WHSEC,
        tolerance=300,
    )
    return {"token": token("X-Gitlab-Token"), "signing token": signing}


def grafana() -> dict[str, Form]:
    signature = "X-Grafana-Alerting-Signature"
    return {
        "with a time": with_time(signature, "X-Grafana-Alerting-Timestamp", "{time}:"),
        "without a time": simple(signature)[""],
        "bearer": BEARER,
        "basic": BASIC,
    }


def sign_discord(sent: Sent) -> Sent:
    signature = ed25519_key().sign(sent.time.encode() + sent.body).hex()
    return sent.plus(X_Signature_Timestamp=sent.time, X_Signature_Ed25519=signature)


SENDGRID = "X-Twilio-Email-Event-Webhook-"


def sign_sendgrid(sent: Sent) -> Sent:
    signature = ecdsa_signature(sent.time.encode() + sent.body)
    return sent.plus(
        **{f"{SENDGRID}Signature": signature, f"{SENDGRID}Timestamp": sent.time}
    )


def sign_hubspot_v1(sent: Sent) -> Sent:
    digest = hashlib.sha256(sent.secret.encode() + sent.body).hexdigest()
    return sent.plus(X_HubSpot_Signature=digest)


def sign_hubspot_v2(sent: Sent) -> Sent:
    start = f"{sent.secret}{sent.method}{sent.url}".encode()
    return sent.plus(X_HubSpot_Signature=hashlib.sha256(start + sent.body).hexdigest())


def hubspot_v3() -> dict[str, Form]:
    """Return the forms of version 3: a plain URL, and one with escapes, signed with
    some of them decoded or as it is called.
    """

    def sign(sent: Sent) -> Sent:
        time = f"{sent.time}000"
        content = f"{sent.method}{sent.url}".encode() + sent.body + time.encode()
        return sent.plus(
            X_HubSpot_Signature_v3=b64(mac(content)), X_HubSpot_Request_Timestamp=time
        )

    def sign_escaped(sent: Sent) -> Sent:
        """Sign the URL with those escapes decoded that HubSpot decodes."""
        made = sign(sent.but(url=f"{sent.url}?to=a@b.example&x=%20/"))
        return made.but(url=f"{sent.url}?to=a%40b.example&x=%20%2F")

    def sign_as_called(sent: Sent) -> Sent:
        """Sign the URL as it is called, as HubSpot's own library does."""
        return sign(sent.but(url=f"{sent.url}?to=a%40b.example&x=%20%2f%5B"))

    covered = Covered(
        signature="X-HubSpot-Signature-v3",
        headers=("X-HubSpot-Request-Timestamp",),
        url=True,
        method=True,
    )
    return {
        "": Form(sign=sign, covered=covered, tolerance=300),
        "escaped": Form(sign=sign_escaped, covered=covered, tolerance=300),
        "as called": Form(sign=sign_as_called, covered=covered, tolerance=300),
    }


def sign_linear(sent: Sent) -> Sent:
    timed = sent.with_fields(webhookTimestamp=int(sent.time) * 1000)
    return body_hmac("Linear-Signature")(timed)


def mailgun() -> dict[str, Form]:
    """Return the forms of an event and of a message that a route forwards."""

    def fields(sent: Sent) -> dict[str, str]:
        token = json.loads(sent.body)["signature"]["token"]
        made = mac(f"{sent.time}{token}".encode()).hex()
        return {"timestamp": sent.time, "token": token, "signature": made}

    def forge(**changes: object) -> Signer:
        return lambda sent: sent.with_fields(
            signature=json.loads(sent.body)["signature"] | changes
        )

    def sign_route(sent: Sent) -> Sent:
        form = urlencode({"recipient": "weather@mail.example", **fields(sent)})
        return sent.but(body=form.encode(), content_type=FORM)

    def forge_route(old: bytes, new: bytes) -> Signer:
        return lambda sent: sent.but(body=sent.body.replace(old, new))

    return {
        "": Form(
            sign=lambda sent: sent.with_fields(signature=fields(sent)),
            covered=Covered(signature=None),
            forged={
                "token": forge(token="5" * 50),
                "no token": forge(token=None),
                "time": forge(timestamp="1795000001"),
                "signature": forge(signature="00" * 32),
                "no signature": forge(signature=""),
            },
        ),
        "route": Form(
            sign=sign_route,
            covered=Covered(signature=None),
            forged={
                "token": forge_route(b"token=5", b"token=6"),
                "time": forge_route(b"timestamp=1", b"timestamp=2"),
                "no signature": forge_route(b"&signature=", b"&signature=&x="),
            },
            type="message",
        ),
    }


def sign_scalr(hash_name: str) -> Signer:
    def sign(sent: Sent) -> Sent:
        content = sent.body + sent.headers["Date"].encode()
        return sent.plus(X_Signature=mac(content, hash_name).hex())

    return sign


def sns_message(**fields: str) -> dict[str, str]:
    message: dict[str, str] = json.loads(sample("sns", "Notification").body)
    del message["Signature"]
    return {**message, **fields}


def sns_content(message: Mapping[str, str]) -> bytes:
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if message["Type"] != "Notification":
        names[2:4] = ["SubscribeURL", "Timestamp", "Token"]
    lines = [f"{name}\n{message[name]}\n" for name in names if name in message]
    return "".join(lines).encode()


def sns(hash_name: str) -> Form:
    """Return the form of one version of Amazon's signature, over some fields."""
    version = {"sha1": "1", "sha256": "2"}[hash_name]

    def sign(sent: Sent) -> Sent:
        versioned = sent.with_fields(SignatureVersion=version)
        content = sns_content(json.loads(versioned.body))
        return versioned.with_fields(Signature=rsa_signature(content, hash_name))

    def change(**fields: str) -> Signer:
        return lambda sent: sent.with_fields(**fields)

    return Form(
        sign=sign,
        covered=Covered(signature=None),
        secret=certificate(),
        forged={
            "message": change(Message="another"),
            "id": change(MessageId="another"),
            "time": change(Timestamp="another"),
            "topic": change(TopicArn="another"),
            "type": change(Type="UnsubscribeConfirmation", Token="another"),  # noqa: S106 - made up
            "version": change(SignatureVersion={"1": "2", "2": "1"}[version]),
            "unknown version": change(SignatureVersion="3"),
            "no signature": change(Signature=""),
            "URL": change(SigningCertURL="https://sns.eu-west-1.amazonaws.com.evil/a"),
        },
    )


def sign_square(sent: Sent) -> Sent:
    signature = b64(mac(sent.url.encode() + sent.body))
    return sent.plus(x_square_hmacsha256_signature=signature)


def twilio() -> dict[str, Form]:
    """Return the forms of a form and of a JSON body, which is hashed in the URL."""

    def sign(sent: Sent) -> Sent:
        fields = sorted(parse_qsl(sent.body.decode(), keep_blank_values=True))
        content = sent.url + "".join(name + value for name, value in fields)
        return sent.plus(X_Twilio_Signature=b64(mac(content.encode(), "sha1")))

    def sign_json(sent: Sent) -> Sent:
        body = b'{"gulls": 3}'
        url = f"{sent.url}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        posted = sent.but(url=url, body=body, content_type=JSON)
        return posted.plus(X_Twilio_Signature=b64(mac(url.encode(), "sha1")))

    covered = Covered(signature="X-Twilio-Signature", url=True)
    return {
        "": Form(
            sign=sign,
            covered=covered,
            forged={
                "a new field": lambda s: s.but(body=s.body + b"&x=1"),
                "another value": lambda s: s.but(body=s.body + b"0"),
            },
        ),
        "json": Form(sign=sign_json, covered=covered, type="callback"),
    }
