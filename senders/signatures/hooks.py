"""Functions for senders whose signed contents no template can describe.

A hook takes a request and returns the contents that may have been signed, or raises
InvalidSignature. A scheme names its hook in `signed_by`; `schema.json` lists the names.
`senders.signatures` imports this module, so that the hooks are registered.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl

from senders.errors import FailureReason, InvalidSignature, MalformedBody
from senders.parsing.forms import MAX_FIELDS, check_escapes, parse_header
from senders.signatures.requests import RawRequest, hooks

NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
FIELDS_OF_TYPE = {
    b"Notification": NOTIFICATION,
    b"SubscriptionConfirmation": CONFIRMATION,
    b"UnsubscribeConfirmation": CONFIRMATION,
}
OPTIONAL = frozenset({"Subject"})

DEFAULT_PORTS = {"https": ":443", "http": ":80"}
ORIGIN = re.compile(
    r"(?P<start>(?P<scheme>\w+)://[^/?#]*?)(?P<port>:[0-9]+)?(?=[/?#]|$)"
)
BODY_HASH = "bodySHA256"


@hooks.register("sns")
def sns_lines(request: RawRequest) -> list[bytes]:
    """Return the names and values that Amazon SNS signs, one per line.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    Other fields (`MessageAttributes`, `UnsubscribeURL`) are not signed.
    """
    fields = FIELDS_OF_TYPE.get(request.field(("Type",)) or b"")
    if fields is None:
        detail = "/Type of the body is not a message type of Amazon SNS."
        raise InvalidSignature(FailureReason.MALFORMED_BODY, detail)
    lines = []
    for name in fields:
        value = request.field((name,))
        if value is not None:
            lines.append(b"%s\n%s\n" % (name.encode(), value))
        elif name not in OPTIONAL:
            detail = f"/{name} is missing in the body."
            raise InvalidSignature(FailureReason.MISSING_FIELD, detail)
    return [b"".join(lines)]


@hooks.register("twilio")
def twilio_contents(request: RawRequest) -> list[bytes]:
    """Return the URL, followed by the fields of a form in the order of their names.

    https://www.twilio.com/docs/usage/security#validating-requests
    Twilio may sign the URL with or without its port, so there are two contents. A body
    that is not a form is signed by its hash in the URL; if the URL has a hash, the body
    must match it.
    """
    kind, _ = parse_header(request.content_type)
    query = request.url.partition("#")[0].partition("?")[2]
    parameters = (parameter.partition("=") for parameter in query.split("&"))
    sent_hash = next((value for name, _, value in parameters if name == BODY_HASH), "")
    fields = b""
    if kind == "application/x-www-form-urlencoded" and not sent_hash:
        fields = _sorted_fields(request.body)
    elif request.body or sent_hash:
        digest = hashlib.sha256(request.body).hexdigest().encode()
        given = sent_hash.lower().encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(digest, given):
            detail = f"The body does not match {BODY_HASH} in the URL."
            raise InvalidSignature(FailureReason.NO_MATCH, detail)
    return [
        url.encode("utf-8", "surrogatepass") + fields
        for url in (request.url, _with_other_port(request.url))
    ]


def _sorted_fields(body: bytes) -> bytes:
    """Return names and values in order; an identical repeated field counts once."""
    try:
        check_escapes(body)
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except (ValueError, MalformedBody) as error:  # UnicodeDecodeError is a ValueError
        detail = "The form is malformed."
        raise InvalidSignature(FailureReason.MALFORMED_BODY, detail) from error
    return "".join(name + value for name, value in sorted(set(pairs))).encode(
        "utf-8", "surrogatepass"
    )


def _with_other_port(url: str) -> str:
    """Return the URL without its port or, if it has none, with the default port."""
    found = ORIGIN.match(url)
    if found is None:
        return url
    start, port = found["start"], found["port"]
    other = "" if port else DEFAULT_PORTS.get(found["scheme"].lower(), "")
    return start + other + url[found.end() :]
