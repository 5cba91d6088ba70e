from __future__ import annotations

import re
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
    "cors",
)  # fmt: skip
MAX_HEADERS = 50
MAX_HEADER_LENGTH = 100
MAX_NETWORKS = 200
MAX_RATE = 1_000_000
MAX_ORIGINS = 20
MAX_ORIGIN_LENGTH = 300
# An origin as browsers send it: in lower case, without a path and the default port.
_ORIGIN = re.compile(
    r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:(?!443$)[1-9][0-9]{0,4})?"
)
# The characters of a token, such as a header name (RFC 9110, 5.6.2).
_TOKEN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")


def find_rule_faults(rules: Mapping[str, object]) -> Iterator[Fault]:
    """Find what is wrong with validation rules; pointers are relative to the rules."""
    for key in sorted(set(rules) - set(RULES)):
        pointer = json_pointer(key[:MAX_HEADER_LENGTH])
        yield Fault(pointer, f"Unknown rule; known: {', '.join(RULES)}")
    yield from _find_header_faults(rules.get("required_headers", []))
    if rules.get("body_format", BodyKind.JSON) not in BODY_FORMATS:
        yield Fault("/body_format", f"Must be one of: {', '.join(BODY_FORMATS)}")
    if "json_schema" in rules:
        schema = rules["json_schema"]
        if isinstance(schema, dict):
            for fault in find_schema_faults(schema):
                yield Fault(f"/json_schema{fault.pointer}", fault.detail)
        else:
            yield Fault("/json_schema", "Must be a JSON Schema that is an object")
    if "allowed_addresses" in rules:
        yield from _find_network_faults(rules["allowed_addresses"])
    if "rate_limit" in rules:
        yield from _find_rate_faults(rules["rate_limit"])
    if "cors" in rules:
        yield from _find_cors_faults(rules["cors"])


def _find_header_faults(headers: object) -> Iterator[Fault]:
    if not isinstance(headers, list) or len(headers) > MAX_HEADERS:
        detail = f"Must be a list of at most {MAX_HEADERS} header names"
        yield Fault("/required_headers", detail)
        return
    for index, name in enumerate(headers):
        is_short = isinstance(name, str) and 0 < len(name) <= MAX_HEADER_LENGTH
        if not is_short or not _TOKEN.issuperset(name):
            detail = "Must be a header name, such as 'X-Request-Id'"
            yield Fault(f"/required_headers/{index}", detail)


def _find_network_faults(networks: object) -> Iterator[Fault]:
    pointer = "/allowed_addresses"
    if not isinstance(networks, list) or not 0 < len(networks) <= MAX_NETWORKS:
        detail = f"Must be a list of 1 to {MAX_NETWORKS} addresses or networks"
        yield Fault(pointer, detail)
        return
    for index, text in enumerate(networks):
        if not _is_network(text):
            detail = "Must be an address or a network, such as 192.0.2.0/24"
            yield Fault(f"{pointer}/{index}", detail)


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
        pointer = json_pointer("rate_limit", key[:MAX_HEADER_LENGTH])
        if key not in ("per_minute", "per_hour"):
            yield Fault(pointer, "Unknown field; known fields: per_minute, per_hour")
        elif type(number) is not int or not 0 <= number <= MAX_RATE:
            detail = f"Must be a whole number from 0 (no limit) to {MAX_RATE:,}"
            yield Fault(pointer, detail)


def _find_cors_faults(cors: object) -> Iterator[Fault]:
    origins = cors.get("origins") if isinstance(cors, dict) else None
    if not isinstance(cors, dict) or set(cors) != {"origins"}:
        yield Fault("/cors", "Must be an object with 'origins' only")
    elif not isinstance(origins, list) or not 0 < len(origins) <= MAX_ORIGINS:
        detail = (
            f"Must be a list of 1 to {MAX_ORIGINS} origins; leave out cors for none"
        )
        yield Fault("/cors/origins", detail)
    else:
        for index, origin in enumerate(origins):
            is_short = isinstance(origin, str) and len(origin) <= MAX_ORIGIN_LENGTH
            if not is_short or not _ORIGIN.fullmatch(origin):
                detail = (
                    "Must be one https origin as browsers send it, such as "
                    "https://shop.example: lower case, no path, no wildcard, no :443"
                )
                yield Fault(f"/cors/origins/{index}", detail)
