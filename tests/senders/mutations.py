"""Damages signed requests at random, and decides whether the damage matters."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl

from tests.senders.forms import Covered
from tests.senders.requests import FORM, Sent
from tests.senders.signers_of_work import adyen_content
from tests.senders.table import ROWS, SENDERS, Row

BLANKS = " \t"
TIMES = ("t=", "ts=")
ODD = ["\x00", "\udcff", "\u0661", "\u20ac", "\xa0", "\n", "=", "-", " ", "'", "1e9"]
HUBSPOT_ESCAPES = {f"%{ord(c):02X}": c for c in ":/?@!$'()*,;"}


def minimal_requests() -> Iterator[Sent]:
    """Yield the first sample of each sender in each form, with the covered headers."""
    for row in ROWS:
        if row.event == SENDERS[row.sent.slug].events[0]:
            yield minimal(row)


def minimal(row: Row) -> Sent:
    """Return the request without headers whose damage cannot matter."""
    names = {row.form.covered.signature, *row.form.covered.headers}
    headers = {name: text for name, text in row.sent.headers.items() if name in names}
    if row.sent.content_type == FORM:
        headers["Content-Type"] = FORM
    return row.sent.but(headers=headers, content_type="")


def damage_header(dice: random.Random, request: Sent, pool: Sequence[str]) -> Sent:
    """Return the request with one header damaged; `pool` has values of others."""
    if not request.headers:
        return replace(request, headers={dice.choice(NAMES): dice.choice(pool)})
    name = dice.choice(sorted(request.headers))
    value = request.headers[name]
    headers = {key: text for key, text in request.headers.items() if key != name}
    match dice.randrange(10):
        case 0:
            headers[_swap_case(dice, name)] = value
        case 1:
            headers[name] = dice.choice(pool)
        case 2:
            headers |= {dice.choice(NAMES): value, name: value}
        case 3:
            headers |= {name: value, name.upper(): dice.choice(pool)}
        case 4:
            pass
        case _:
            headers[name] = dice.choice(DAMAGES)(dice, value)
    return replace(request, headers=headers)


def damage_rest(dice: random.Random, request: Sent) -> Sent:
    """Return the request with its body, URL, method or secret damaged."""
    match dice.randrange(6):
        case 0:
            return replace(request, url=dice.choice(DAMAGES)(dice, request.url))
        case 1:
            return replace(request, method=dice.choice(["PUT", "post", "\udcff", ""]))
        case 2:
            return replace(request, secret=_cut(dice, request.secret))
        case _:
            text = dice.choice(DAMAGES)(dice, request.body.decode("latin-1"))
            return replace(request, body=text.encode("latin-1", "replace"))


def is_harmless(one: Sent, other: Sent) -> bool:
    """Return whether everything that the signature covers is equal in both."""
    if _plain_secret(one.secret) != _plain_secret(other.secret):
        return False
    covered = covered_of(one)
    is_v3 = covered.signature == "X-HubSpot-Signature-v3"
    return (
        _signatures_agree(covered, one, other)
        and all(_value(one, name) == _value(other, name) for name in covered.headers)
        and (not covered.body or _bodies_agree(one, other))
        and (
            not covered.url
            or _plain_url(one, is_v3=is_v3) == _plain_url(other, is_v3=is_v3)
        )
        and (not covered.method or one.method == other.method.upper())
    )


def _plain_secret(secret: str) -> str:
    """Remove the padding and the prefix, without which secrets are often shown."""
    return secret.removeprefix("whsec_").rstrip("=\n")


def covered_of(sent: Sent) -> Covered:
    """Return what the signature covers in the first form whose headers are present."""
    names = {name.lower() for name in sent.headers}
    forms = [form.covered for form in SENDERS[sent.slug].forms.values()]
    for covered in forms:
        needed = {
            name.lower() for name in (covered.signature, *covered.headers) if name
        }
        is_list = covered.signature is not None and _value(
            sent, covered.signature
        ).startswith("t=")
        if needed <= names and (covered.separator is not None or not is_list):
            return covered
    return forms[0]


def _signatures_agree(covered: Covered, one: Sent, other: Sent) -> bool:
    """The right one of several signatures in a header must still be present."""
    if covered.signature is None:
        return True
    mine = _entries(covered, _value(one, covered.signature))
    others = _entries(covered, _value(other, covered.signature))
    times = [entry for entry in mine if entry.startswith(TIMES)]
    right = [entry for entry in mine if not entry.startswith((*TIMES, "v0="))][-1:]
    return (
        set(right) <= set(others)
        and [entry for entry in others if entry.startswith(TIMES)] == times
    )


def _entries(covered: Covered, value: str) -> list[str]:
    separator = covered.separator or "\0"
    found = [entry.strip(BLANKS) for entry in value.split(separator)]
    if not covered.is_hex:
        return found
    marked = [entry.rpartition("=") for entry in found]
    return [f"{mark}{sign}{digits.lower()}" for mark, sign, digits in marked]


def _value(request: Sent, name: str) -> str:
    lower = {key.lower(): text for key, text in request.headers.items() if text}
    value = lower.get(name.lower(), "").strip(BLANKS)
    kind, _, credentials = value.partition(" ")
    if kind == "Bearer" or kind.lower() == "basic":  # case-insensitive (RFC 9110)
        blanks = " " if kind.lower() == "basic" else ""
        return f"{kind.lower()} {credentials.strip(blanks)}"
    return value.removeprefix("sha256=") if request.slug == "generic" else value


def _bodies_agree(one: Sent, other: Sent) -> bool:
    if one.body == other.body:
        return True
    read = READERS.get(one.slug)
    return read is not None and read(one.body) == read(other.body)


def _plain_url(request: Sent, *, is_v3: bool) -> str:
    url = request.url
    if request.slug == "twilio":
        return url.replace(":443/", "/")
    if is_v3:
        for escape, character in HUBSPOT_ESCAPES.items():
            url = url.replace(escape, character)
    return url


def _mailgun_fields(body: bytes) -> object:
    names = ("timestamp", "token", "signature")
    if body.lstrip()[:1] == b"{":
        fields = json.loads(body)["signature"]
        return [str(fields[name]).lower() for name in names]
    form = parse_qs(body.decode("utf-8", "replace"))
    return [form[name][0].lower() for name in names]


def _sns_fields(body: bytes) -> object:
    """Leave out the URL: a certificate that is a secret is valid for each URL."""
    message = json.loads(body)
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    return [message.get(name) for name in (*names, "Signature", "SignatureVersion")]


def _twilio_fields(body: bytes) -> object:
    pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True)))
    return "".join(name + value for name, value in pairs)


def _adyen_fields(body: bytes) -> object:
    item = json.loads(body)["notificationItems"][0]["NotificationRequestItem"]
    return adyen_content(item), item["additionalData"]["hmacSignature"]


def _graph_state(body: bytes) -> object:
    return json.loads(body)["value"][0]["clientState"]


READERS: dict[str, Callable[[bytes], object]] = {
    "adyen": _adyen_fields,
    "microsoft-graph": _graph_state,
    "mailgun": _mailgun_fields,
    "sns": _sns_fields,
    "twilio": _twilio_fields,
}


def _swap_case(dice: random.Random, text: str) -> str:
    return "".join(dice.choice([c.lower(), c.upper()]) for c in text)


def _flip(dice: random.Random, text: str) -> str:
    if not text:
        return "x"
    place = dice.randrange(len(text))
    flipped = chr(ord(text[place]) ^ (1 << dice.randrange(8)))
    return text[:place] + flipped + text[place + 1 :]


def _cut(dice: random.Random, text: str) -> str:
    return text[: dice.randrange(len(text) or 1)]


def _cut_start(dice: random.Random, text: str) -> str:
    return text[dice.randrange(1, (len(text) or 1) + 1) :]


def _twice(dice: random.Random, text: str) -> str:
    return text + dice.choice([",", " ", ", ", ";", ""]) + text


def _insert(dice: random.Random, text: str) -> str:
    place = dice.randrange(len(text) + 1)
    return text[:place] + dice.choice(ODD) + text[place:]


def _around(dice: random.Random, text: str) -> str:
    return dice.choice([" ", "\t", ""]) + text + dice.choice([" ", "\t", "\r\n", "=="])


def _huge(dice: random.Random, text: str) -> str:
    return text + dice.choice(["a", ",", "9", " v1,"]) * dice.choice([21, 9000])


def _empty(_dice: random.Random, _text: str) -> str:
    return ""


DAMAGES = [
    _flip,
    _flip,
    _flip,
    _cut,
    _cut_start,
    _twice,
    _insert,
    _around,
    _huge,
    _empty,
    _swap_case,
]
NAMES = sorted(
    {row.form.covered.signature or "Date" for row in ROWS}
    | {"Content-Type", "Authorization", "Date"}
)
