"""How senders sign: written here, without the code that verifies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from tests.senders.requests import (
    FORM,
    JSON,
    KEY,
    SECRET,
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

Signer = Callable[[Sent], Sent]
WHPK = "whpk_" + b64(raw_public(ed25519_key()))
OTHER_WHSEC = "whsec_" + b64(bytes(24))


@dataclass(frozen=True, kw_only=True)
class Covered:
    """The parts of a request that cannot change without breaking the signature.

    `signature` is its header, None if it is in the body. `separator` separates several
    signatures in that header. `headers` are other headers that are signed or checked.
    """

    signature: str | None
    separator: str | None = None
    is_hex: bool = False
    headers: tuple[str, ...] = ()
    body: bool = True
    url: bool = False
    method: bool = False


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way in which a sender signs.

    `forged` are variants of a signed request that must be rejected, in addition to a
    change of each part that is `covered`. `tolerance` is in seconds. `type` is the
    event type, if the form replaces the event of the sample.
    """

    sign: Signer
    covered: Covered
    secret: str = SECRET
    other_secret: str = "another"  # noqa: S105 - made up for the tests
    tolerance: int | None = None
    forged: Mapping[str, Signer] = field(default_factory=dict)
    type: str = ""


def body_hmac(
    header: str, prefix: str = "", hash_name: str = "sha256", *, is_hex: bool = True
) -> Signer:
    """Return a signer whose header has the HMAC of the body."""

    def sign(sent: Sent) -> Sent:
        raw = mac(sent.body, hash_name)
        return sent.plus(**{header: prefix + (raw.hex() if is_hex else b64(raw))})

    return sign


def simple(
    header: str,
    prefix: str = "",
    hash_name: str = "sha256",
    *,
    is_hex: bool = True,
    separator: str | None = None,
    forged: Mapping[str, Signer] | None = None,
) -> dict[str, Form]:
    """Return the only form of a sender that signs the body in one header."""
    covered = Covered(signature=header, is_hex=is_hex, separator=separator)
    sign = body_hmac(header, prefix, hash_name, is_hex=is_hex)
    return {"": Form(sign=sign, covered=covered, forged=forged or {})}


def token(header: str, prefix: str = "", secret: str = SECRET) -> Form:
    return Form(
        sign=lambda sent: sent.plus(**{header: prefix + sent.secret}),
        covered=Covered(signature=header, body=False),
        secret=secret,
        forged={
            "a longer token": lambda s: s.plus(**{header: f"{prefix}{s.secret}x"}),
            "another token": lambda s: s.plus(**{header: f"{prefix}another"}),
        },
    )


def basic_sign(sent: Sent) -> Sent:
    return sent.plus(Authorization="Basic " + b64(sent.secret.encode()))


BEARER = token("Authorization", "Bearer ")
BASIC = Form(
    sign=basic_sign,
    covered=Covered(signature="Authorization", body=False),
    secret="ana:" + SECRET,
    other_secret="ana:another",  # noqa: S106 - made up for the tests
)


def with_time(header: str, time_header: str, template: str, prefix: str = "") -> Form:
    """Return the form of a sender with one header for the time, one to sign it."""

    def sign(sent: Sent) -> Sent:
        content = template.format(time=sent.time).encode() + sent.body
        headers = {header: prefix + mac(content).hex(), time_header: sent.time}
        return sent.plus(**headers)

    covered = Covered(signature=header, is_hex=True, headers=(time_header,))
    if not prefix:
        return Form(sign=sign, covered=covered, tolerance=300)
    return Form(
        sign=sign,
        covered=covered,
        tolerance=300,
        forged={
            "no prefix": lambda s: s.plus(
                **{header: s.headers[header].removeprefix(prefix)}
            )
        },
    )


def versioned(header: str, tolerance: int, mark: str = ".") -> Form:
    """Return the form of a sender whose header is `t=<time>,v1=<signature>`."""

    def sign(sent: Sent, version: str = "v1") -> Sent:
        made = mac(f"{sent.time}{mark}".encode() + sent.body).hex()
        return sent.plus(**{header: f"t={sent.time},{version}={made}"})

    return Form(
        sign=sign,
        covered=Covered(signature=header, separator=",", is_hex=True),
        tolerance=tolerance,
        forged={
            "another version": lambda s: sign(s, "v0"),
            "a later time": lambda s: s.plus(
                **{header: s.headers[header].replace("t=1", "t=2")}
            ),
            "no signature": lambda s: s.plus(**{header: f"t={s.time}"}),
            "no time": lambda s: s.plus(
                **{header: s.headers[header].partition(",")[2]}
            ),
        },
    )


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
    """Return the form of version 3, for a plain URL and for one with escapes."""

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

    covered = Covered(
        signature="X-HubSpot-Signature-v3",
        headers=("X-HubSpot-Request-Timestamp",),
        url=True,
        method=True,
    )
    return {
        "": Form(sign=sign, covered=covered, tolerance=300),
        "escaped": Form(sign=sign_escaped, covered=covered, tolerance=300),
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
