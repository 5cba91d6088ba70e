from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from ipaddress import ip_network

from common.errors import Fault, json_pointer
from common.json_schema import find_schema_faults
from senders.parsing import BodyKind

_UNREADABLE = (BodyKind.EMPTY, BodyKind.BINARY)
BODY_FORMATS = tuple(kind.value for kind in BodyKind if kind not in _UNREADABLE)
RULES = (
    "required_headers", "body_format", "json_schema", "allowed_addresses", "rate_limit",
)  # fmt: skip
MAX_HEADERS = 50
MAX_HEADER_LENGTH = 100
MAX_NETWORKS = 200
MAX_RATE = 1_000_000
_TOKEN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")


def find_rule_faults(rules: Mapping[str, object]) -> Iterator[Fault]:
    """Find what is wrong with an endpoint's validation rules; pointers into them."""
    for key in sorted(set(rules) - set(RULES)):
        place = json_pointer(key[:MAX_HEADER_LENGTH])
        yield Fault(place, f"Unknown rule; known: {', '.join(RULES)}")
    yield from _find_header_faults(rules.get("required_headers", []))
    if rules.get("body_format", BodyKind.JSON) not in BODY_FORMATS:
        yield Fault("/body_format", f"Must be one of: {', '.join(BODY_FORMATS)}")
    if "json_schema" in rules:
        yield from _find_schema_faults(rules["json_schema"])
    if "allowed_addresses" in rules:
        yield from _find_network_faults(rules["allowed_addresses"])
    if "rate_limit" in rules:
        yield from _find_rate_faults(rules["rate_limit"])


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


def _find_schema_faults(schema: object) -> Iterator[Fault]:
    if not isinstance(schema, dict):
        yield Fault("/json_schema", "Must be a JSON Schema: an object")
        return
    for fault in find_schema_faults(schema):
        yield Fault(f"/json_schema{fault.pointer}", fault.detail)


def _find_network_faults(networks: object) -> Iterator[Fault]:
    place = "/allowed_addresses"
    if not isinstance(networks, list) or not 0 < len(networks) <= MAX_NETWORKS:
        detail = f"Must be a list of 1 to {MAX_NETWORKS} addresses or networks"
        yield Fault(place, detail)
        return
    for number, text in enumerate(networks):
        if not _is_network(text):
            detail = "Must be an address or a network, such as 192.0.2.0/24"
            yield Fault(f"{place}/{number}", detail)


def _is_network(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _find_rate_faults(rate: object) -> Iterator[Fault]:
    if not isinstance(rate, dict) or not rate:
        detail = "Must be an object with per_minute, per_hour or both"
        yield Fault("/rate_limit", detail)
        return
    for key, number in rate.items():
        place = json_pointer("rate_limit", key[:MAX_HEADER_LENGTH])
        if key not in ("per_minute", "per_hour"):
            yield Fault(place, "Unknown; known: per_minute, per_hour")
        elif type(number) is not int or not 0 <= number <= MAX_RATE:
            detail = f"Must be a whole number up to {MAX_RATE:,}; 0: no limit"
            yield Fault(place, detail)
