"""Asks addresses that somebody else named, without becoming a way into our network."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import httpx2

from common.errors import TickhookError

Address = IPv4Address | IPv6Address

TIMEOUT_SECONDS = 10.0
# An address of IPv4 written as one of IPv6: NAT64, Teredo, 6to4.
_TUNNELS = [ip_network(net) for net in ("64:ff9b::/96", "2001::/32", "2002::/16")]


class Unreachable(TickhookError):
    """The address can't be reached, or does not answer as it should."""

    code = "unreachable"
    http_status = 502


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet, and of nobody's own network."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast


def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
    may_reach: Callable[[Address], bool] = is_public,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    """Return what a GET of an https URL answers; raise Unreachable.

    The name is resolved once and that very address is asked: no redirect is followed
    and no proxy of the environment used. The deadline holds for all of it.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise Unreachable("Only https addresses are asked")
    port = parts.port or 443
    address = _resolve(parts.hostname, port, may_reach)
    target = httpx2.URL(url).copy_with(host=str(address), port=port)
    deadline = time.monotonic() + timeout_seconds
    try:
        with httpx2.Client(
            verify=tls or ssl.create_default_context(),
            timeout=timeout_seconds,
            trust_env=False,
            follow_redirects=False,
        ) as client:
            host = (parts.netloc, parts.hostname)
            return _get(client, target, host, max_bytes, deadline)
    except httpx2.HTTPError as error:
        raise Unreachable(type(error).__name__) from error


def _get(
    client: httpx2.Client,
    target: httpx2.URL,
    host: tuple[str, str],
    max_bytes: int,
    deadline: float,
) -> bytes:
    body = bytearray()
    with client.stream(
        "GET", target, headers={"Host": host[0]}, extensions={"sni_hostname": host[1]}
    ) as answer:
        if answer.status_code != 200:
            raise Unreachable(f"Answered with {answer.status_code}")
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > max_bytes:
                raise Unreachable(f"Answered with more than {max_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise Unreachable("Took too long")
    return bytes(body)


def _resolve(host: str, port: int, may_reach: Callable[[Address], bool]) -> Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable("The name is not known") from error
    addresses = [ip_address(str(where[0])) for *_, where in found]
    for address in addresses:
        if may_reach(address):
            return address
    raise Unreachable("The name leads into a network that is not asked")
