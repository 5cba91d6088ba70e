"""The rows of `table.py`, and the forms of signatures that several senders share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.senders.requests import SECRET, Sent, b64, mac

Signer = Callable[[Sent], Sent]
# Stands for the delivery id of a sender without one.
BODY_HASH = "the hash of the body"


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


def only(sign: Signer, covered: Covered) -> dict[str, Form]:
    """Return the only form of a sender."""
    return {"": Form(sign=sign, covered=covered)}


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


def versioned(
    header: str,
    tolerance: int,
    mark: str = ".",
    *,
    time_name: str = "t",
    version: str = "v1",
    separator: str = ",",
) -> Form:
    """Return the form of a sender whose header is `t=<time>,v1=<signature>`."""

    def sign(sent: Sent, version: str = version) -> Sent:
        made = mac(f"{sent.time}{mark}".encode() + sent.body).hex()
        entries = (f"{time_name}={sent.time}", f"{version}={made}")
        return sent.plus(**{header: separator.join(entries)})

    return Form(
        sign=sign,
        covered=Covered(signature=header, separator=separator, is_hex=True),
        tolerance=tolerance,
        forged={
            "another version": lambda s: sign(s, "v0"),
            "a later time": lambda s: s.plus(
                **{
                    header: s.headers[header].replace(
                        f"{time_name}=1", f"{time_name}=2"
                    )
                }
            ),
            "no signature": lambda s: s.plus(**{header: f"{time_name}={s.time}"}),
            "no time": lambda s: s.plus(
                **{header: s.headers[header].partition(separator)[2]}
            ),
        },
    )
