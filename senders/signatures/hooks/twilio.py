"""Twilio signs the URL, followed by the fields of a form in order of their names.

https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl

from senders.parsing.content_types import parse_header
from senders.parsing.errors import MalformedBody
from senders.parsing.forms import MAX_FIELDS, check_escapes
from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.requests import RawRequest

DEFAULT_PORTS = {"https": ":443", "http": ":80"}
ORIGIN = re.compile(
    r"(?P<start>(?P<scheme>\w+)://[^/?#]*?)(?P<port>:[0-9]+)?(?=[/?#]|$)"
)
BODY_HASH = "bodySHA256"


def twilio_contents(request: RawRequest) -> list[bytes]:
    """Return the URL as called, and with its port left out or put in, with the form.

    A body that is no form is signed by its hash, which the URL carries; where it does,
    nothing else will do.
    """
    kind, _ = parse_header(request.content_type)
    sent_hash = _query_value(request.url, BODY_HASH)
    fields = b""
    if kind == "application/x-www-form-urlencoded" and not sent_hash:
        fields = _sorted_fields(request.body)
    elif request.body or sent_hash:
        _check_body_hash(request.body, sent_hash)
    return [
        url.encode("utf-8", "surrogatepass") + fields
        for url in (request.url, _with_other_port(request.url))
    ]


def _sorted_fields(body: bytes) -> bytes:
    """Return names and values in order; the same field sent twice counts once."""
    try:
        check_escapes(body)
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except (ValueError, MalformedBody) as error:  # UnicodeDecodeError is one, too
        raise InvalidSignature(
            Cause.MALFORMED_BODY, "The form is malformed."
        ) from error
    return "".join(name + value for name, value in sorted(set(pairs))).encode(
        "utf-8", "surrogatepass"
    )


def _check_body_hash(body: bytes, sent: str) -> None:
    digest = hashlib.sha256(body).hexdigest().encode()
    given = sent.lower().encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(digest, given):
        detail = f"The body is not the one that {BODY_HASH} in the URL stands for."
        raise InvalidSignature(Cause.NO_MATCH, detail)


def _query_value(url: str, name: str) -> str:
    query = url.partition("#")[0].partition("?")[2]
    values = (field.partition("=") for field in query.split("&"))
    return next((value for key, _, value in values if key == name), "")


def _with_other_port(url: str) -> str:
    """Return the URL without its port, or else with the default one."""
    found = ORIGIN.match(url)
    if found is None:
        return url
    start, port = found["start"], found["port"]
    other = "" if port else DEFAULT_PORTS.get(found["scheme"].lower(), "")
    return start + other + url[found.end() :]
