from __future__ import annotations

import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from common.outgoing import Address, Unreachable, fetch, is_public
from tests.common.tls import Site, https_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with https_site(tmp_path) as served:
        yield served


def is_ours(address: Address) -> bool:
    return address.is_loopback


def get(site: Site, path: str = "/", max_bytes: int = 100) -> bytes:
    url = f"{site.url}{path}"
    return fetch(url, max_bytes=max_bytes, may_reach=is_ours, tls=site.trust)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "224.0.0.1",  # noqa: S104 - asked, not bound
        "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2001:0:7f00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_our_own_networks_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111"])
def test_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_the_name_is_asked_for_at_its_address(site: Site) -> None:
    assert get(site) == b"localhost"


def test_a_name_that_leads_home_is_not_asked(site: Site) -> None:
    with pytest.raises(Unreachable, match="a network that is not asked"):
        fetch(site.url, max_bytes=100, tls=site.trust)


def test_a_certificate_of_somebody_else_is_refused(site: Site) -> None:
    with pytest.raises(Unreachable, match="ConnectError"):
        fetch(
            site.url,
            max_bytes=100,
            may_reach=is_ours,
            tls=ssl.create_default_context(),
        )


@pytest.mark.parametrize(
    ("path", "told"), [("/moved", "Answered with 302"), ("/big", "more than 100 bytes")]
)
def test_what_is_not_a_short_answer_is_refused(
    site: Site, path: str, told: str
) -> None:
    with pytest.raises(Unreachable, match=told):
        get(site, path)


@pytest.mark.parametrize(
    "url", ["http://localhost/", "file:///etc/passwd", "https:///"]
)
def test_only_https_is_spoken(url: str) -> None:
    with pytest.raises(Unreachable, match="Only https"):
        fetch(url, max_bytes=100)
