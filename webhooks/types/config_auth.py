"""A fixed header, bearer token or basic login in `webhook_config.auth`.

It is for senders that cannot sign:

    {"type": "header", "name": "X-Api-Key", "value": "…"}
    {"type": "bearer", "value": "…"}
    {"type": "basic", "value": "user:password"}
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from common.errors import Fault, json_pointer
from senders.definitions import WebhookTypeDefinition
from senders.definitions.schemes import BasicScheme, HeaderEntries, TokenScheme

AUTH = "auth"
HEADER, BEARER, BASIC = KINDS = ("header", "bearer", "basic")
MEMBERS = ("type", "name", "value")
# The names of schemes are not case-sensitive (RFC 9110, 11.1).
BEARER_PREFIXES = ("Bearer ", "bearer ", "BEARER ")
MAX_VALUE_LENGTH = 1000
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
# Surrounding blanks of a header are not part of its value.
_SENDABLE = re.compile(r"[!-~]([ -~]*[!-~])?")
# These headers say something about the request, so they prove nothing.
_NEVER_SECRET = frozenset(
    {
        "accept", "connection", "content-encoding", "content-length", "content-type",
        "host", "transfer-encoding", "user-agent",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigAuth:
    """A login that each request must have, in the header `header` (lower case)."""

    scheme: TokenScheme | BasicScheme
    header: str
    value: str
    prefix: str = ""

    def headers(self, value: str | None = None) -> dict[str, str]:
        """Return the header that a sender adds; `value` stands for the secret there."""
        if value is None:
            value = self.value
            if isinstance(self.scheme, BasicScheme):
                value = base64.b64encode(value.encode()).decode()
        return {self.header.title(): f"{self.prefix}{value}"}


def auth_of(
    definition: WebhookTypeDefinition, config: Mapping[str, object]
) -> ConfigAuth | None:
    """Return the login that an endpoint's config requires; None if it requires none.

    A stored login that cannot be read has no value, so that no request has it: it may
    be from a type that gave `auth` another meaning.
    """
    if not definition.config_auth or config.get(AUTH) is None:
        return None
    auth = config[AUTH]
    if not isinstance(auth, dict) or any(_find_faults(auth)):
        auth = {"type": BEARER, "value": ""}
    value = auth["value"]
    if auth["type"] == BASIC:
        return ConfigAuth(
            scheme=BasicScheme(), header="authorization", value=value, prefix="Basic "
        )
    is_bearer = auth["type"] == BEARER
    name = "authorization" if is_bearer else auth["name"].lower()
    prefixes = BEARER_PREFIXES if is_bearer else ("",)
    read_from = HeaderEntries(headers=(name,), prefixes=prefixes)
    return ConfigAuth(
        scheme=TokenScheme(read_from=read_from),
        header=name,
        value=value,
        prefix=prefixes[0],
    )


def find_auth_faults(auth: object) -> Iterator[Fault]:
    """Find what is wrong with a login; None removes it."""
    if auth is None:
        return
    if not isinstance(auth, dict):
        yield Fault("", 'Must be an object, such as {"type": "bearer", "value": "…"}')
        return
    yield from _find_faults(auth)


def _find_faults(auth: Mapping[str, object]) -> Iterator[Fault]:
    for key in auth.keys() - set(MEMBERS):
        detail = f"Unknown field; known fields: {', '.join(MEMBERS)}"
        yield Fault(json_pointer(key[:100]), detail)
    kind, name, value = (auth.get(member) for member in MEMBERS)
    if kind not in KINDS:
        yield Fault("/type", f"Must be one of: {', '.join(KINDS)}")
    elif kind == HEADER:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            detail = "Must be the name of a header, such as X-Api-Key"
            yield Fault("/name", detail)
        elif name.lower() in _NEVER_SECRET:
            yield Fault("/name", f"The header {name} cannot carry a secret")
    elif name is not None:
        yield Fault("/name", f"The header of '{kind}' is always Authorization")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_VALUE_LENGTH:
        detail = f"Must be a text of 1 to {MAX_VALUE_LENGTH:,} characters"
        yield Fault("/value", detail)
    elif kind == BASIC:
        user, _, password = value.partition(":")
        if not user or not password:
            yield Fault("/value", "Must be user:password")
    elif not _SENDABLE.fullmatch(value):
        detail = "Must be printable ASCII without blanks at its ends"
        yield Fault("/value", detail)
