"""IP addresses, and the URLs that outgoing requests may use."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

from django.conf import settings

from common.errors import TickhookError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ADDRESSES_REMEMBERED = 4096
# An IPv6 address has at most 45; a zone may follow.
MAX_ADDRESS_CHARACTERS = 100

# Python counts these as global, but they belong to no public service: protocol
# assignments, the anycast relay of 6to4.
_NOT_PUBLIC_IPV4 = [ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24")]
# All public IPv6 addresses are in 2000::/3. Outside of it are loopback, link-local,
# site-local (fec0::/10) and unique local addresses, and those that contain an IPv4
# address: ::/96, ::ffff:0:0:0/96, NAT64 (64:ff9b::/96, 64:ff9b:1::/48).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Inside of it: Teredo and other protocol assignments, 6to4, documentation.
_NOT_PUBLIC_IPV6 = [
    ip_network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]


def parse_address(text: str) -> Address | None:
    """Return an address, as IPv4 if it is an IPv4-mapped one; None if it is invalid."""
    # Longer texts, which anyone can send, must not fill the memory.
    return _parse(text) if len(text) <= MAX_ADDRESS_CHARACTERS else None


@lru_cache(ADDRESSES_REMEMBERED)
def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_public(address: Address) -> bool:
    """Return whether an address belongs to a host of the public internet."""
    if isinstance(address, IPv4Address):
        special = _NOT_PUBLIC_IPV4
    elif address in _GLOBAL_UNICAST:
        special = _NOT_PUBLIC_IPV6
    else:
        return address.ipv4_mapped is not None and is_public(address.ipv4_mapped)
    is_special = address.is_multicast or any(address in net for net in special)
    return address.is_global and not is_special


def is_allowed(address: Address) -> bool:
    """Return whether TICKHOOK_ALLOWED_NETWORKS permits requests to an address."""
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in settings.TICKHOOK_ALLOWED_NETWORKS)


@lru_cache(maxsize=4096)
def subject_of(address: Address) -> str:
    """Return the address to limit; of IPv6 the /64 network, which one host can use."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


DEFAULT_PORTS = {"https": 443, "http": 80}
# Databases and brokers, which would interpret an HTTP request as their own commands.
CLOSED_PORTS = frozenset(
    (1433, 1521, 1883, 2181, 2375, 2376, 2379, 2380, 3306, 4222, 5432, 5433, 5671, 5672,
     6379, 6380, 6432, 8883, 9042, 9092, 9200, 9300, 11211, 25672, 26379, 27017, 27018,
     27019, 33060, 61616)
)  # fmt: skip

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".localdomain", ".internal")
_HOW_TO_ALLOW = "Add it to TICKHOOK_ALLOWED_NETWORKS to permit it."
_ONLY_HTTPS = (
    "The URL must start with https://. Only hosts in TICKHOOK_ALLOWED_NETWORKS may be "
    "reached over http://"
)


class UrlNotAllowed(TickhookError):
    """Requests to this URL are not allowed."""

    code = "url_not_allowed"
    http_status = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL whose form is allowed, and whose host name is not resolved yet."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"
        )


def check_url(url: str) -> Target:
    """Return the target of a URL; raise UrlNotAllowed if requests are never allowed.

    It does not resolve the host name, so call it when a URL is saved, too.
    """
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise UrlNotAllowed(
            "The URL contains a space, a backslash or a character that is not ASCII. "
            "Write them percent-encoded, and a host name as xn--…"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlNotAllowed(f"The URL is not valid: {error}") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise UrlNotAllowed("The URL must start with https://")
    if parts.username is not None or parts.password is not None:
        raise UrlNotAllowed("The URL must not contain a user name or a password.")
    host = (parts.hostname or "").lower()
    if not _HOST.fullmatch(host):
        raise UrlNotAllowed("The URL does not contain a valid host name.")
    _check_host(host, scheme=parts.scheme)
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    _check_port(port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path)


def allowed_addresses(target: Target, addresses: Sequence[Address]) -> list[Address]:
    """Return the allowed ones of at least one address; raise UrlNotAllowed if none is.

    `addresses` is what the host name resolves to.
    """
    allowed = [a for a in addresses if is_allowed(a)]
    if target.scheme == "https":
        allowed = [a for a in addresses if is_allowed(a) or is_public(a)]
    if allowed:
        return allowed
    if is_public(addresses[0]):
        raise UrlNotAllowed(_ONLY_HTTPS)
    raise UrlNotAllowed(
        f"The host name resolves to a private address ({addresses[0]}), which is not "
        f"allowed. {_HOW_TO_ALLOW}"
    )


def _check_host(host: str, *, scheme: str) -> None:
    name = host.removesuffix(".")
    has_networks = bool(settings.TICKHOOK_ALLOWED_NETWORKS)
    address = _literal(name)
    if address is not None and not is_public(address) and not is_allowed(address):
        raise UrlNotAllowed(
            f"The address {address} is private, which is not allowed. {_HOW_TO_ALLOW}"
        )
    if not has_networks and (name == "localhost" or name.endswith(_LOCAL_NAMES)):
        raise UrlNotAllowed(
            f"The host name {name} belongs to a private network, which is not allowed. "
            "Add the network to TICKHOOK_ALLOWED_NETWORKS to permit it."
        )
    # Only resolution shows whether a name is in an allowed network.
    may_be_allowed = has_networks if address is None else is_allowed(address)
    if scheme == "http" and not may_be_allowed:
        raise UrlNotAllowed(_ONLY_HTTPS)


def _check_port(port: int) -> None:
    is_open = port in DEFAULT_PORTS.values() or port >= 1024
    if not is_open or port in CLOSED_PORTS:
        raise UrlNotAllowed(
            f"Port {port} is not allowed. Use 80, 443 or a port from 1024 that no "
            "database or message broker uses by default."
        )


def _literal(host: str) -> Address | None:
    """Return the address that a host is without resolution; None for a name.

    Resolvers also accept `127.1`, `0x7f000001` and `017700000001` as addresses.
    """
    address = parse_address(host)
    if address is None:
        try:
            address = IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return address
