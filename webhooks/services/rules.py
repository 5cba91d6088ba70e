from __future__ import annotations

import string
from collections.abc import Iterator, Mapping

from common.errors import Fault, json_pointer
from webhooks.parsing import BodyKind

_UNREADABLE = (BodyKind.EMPTY, BodyKind.BINARY)
BODY_FORMATS = tuple(kind.value for kind in BodyKind if kind not in _UNREADABLE)
MAX_HEADERS = 50
MAX_HEADER_LENGTH = 100
_TOKEN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")


def find_rule_faults(rules: Mapping[str, object]) -> Iterator[Fault]:
    """Find what is wrong with an endpoint's validation rules; pointers into them."""
    for key in sorted(set(rules) - {"required_headers", "body_format"}):
        place = json_pointer(key[:MAX_HEADER_LENGTH])
        yield Fault(place, "Unknown rule; known: required_headers, body_format")
    yield from _find_header_faults(rules.get("required_headers", []))
    if rules.get("body_format", BodyKind.JSON) not in BODY_FORMATS:
        yield Fault("/body_format", f"Must be one of: {', '.join(BODY_FORMATS)}")


def _find_header_faults(headers: object) -> Iterator[Fault]:
    if not isinstance(headers, list) or len(headers) > MAX_HEADERS:
        detail = f"Must be a list of at most {MAX_HEADERS} header names"
        yield Fault("/required_headers", detail)
        return
    for place, name in enumerate(headers):
        if not _is_header_name(name):
            detail = "Must be a header's name, such as 'X-Request-Id'"
            yield Fault(f"/required_headers/{place}", detail)


def _is_header_name(name: object) -> bool:
    """Whether this is a token (RFC 9110, 5.6.2) of bearable length."""
    if not isinstance(name, str):
        return False
    return 0 < len(name) <= MAX_HEADER_LENGTH and _TOKEN.issuperset(name)
