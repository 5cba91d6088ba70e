from __future__ import annotations

from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from django.conf import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What Python counts as global although no public service is reached there: protocol
# assignments, the anycast relay of 6to4.
_NOT_PUBLIC_IPV4 = [ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24")]
# All public IPv6 addresses are in 2000::/3. Outside of it are loopback, link-local,
# site-local (fec0::/10) and unique local addresses, and the forms that hold an IPv4
# address: ::/96, ::ffff:0:0:0/96, NAT64 (64:ff9b::/96, 64:ff9b:1::/48).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Inside of it: Teredo and other protocol assignments, 6to4, documentation.
_NOT_PUBLIC_IPV6 = [
    ip_network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]


def parse_address(text: str) -> Address | None:
    """Return an address; one of IPv4 written as IPv6 is the one of IPv4."""
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
    """Return who is limited: a customer of IPv6 has 2^64 addresses to send from."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)
