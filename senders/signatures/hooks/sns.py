"""Amazon SNS signs the names and values of some fields, one to a line.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
Fields beside these (`MessageAttributes`, `UnsubscribeURL`) are not signed.
"""

from __future__ import annotations

from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.requests import RawRequest

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


def sns_lines(request: RawRequest) -> list[bytes]:
    fields = FIELDS_OF_TYPE.get(request.field(("Type",)) or b"")
    if fields is None:
        detail = "/Type of the body is none that Amazon SNS sends."
        raise InvalidSignature(Cause.MALFORMED_BODY, detail)
    return [b"".join(_line(request, name) for name in fields)]


def _line(request: RawRequest, name: str) -> bytes:
    value = request.field((name,))
    if value is None and name in OPTIONAL:
        return b""
    if value is None:
        detail = f"/{name} is missing in the body."
        raise InvalidSignature(Cause.MISSING_FIELD, detail)
    return b"%s\n%s\n" % (name.encode(), value)
