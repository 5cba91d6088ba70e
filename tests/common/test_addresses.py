from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from common.addresses import (
    Target,
    UrlNotAllowed,
    allowed_addresses,
    check_url,
    is_public,
    parse_address,
)

REFUSED = json.loads(
    (Path(__file__).parent / "vectors" / "ssrf_urls.json").read_bytes()
)["refuse"]
WAY_OUT = "not allowed. Add it to TICKHOOK_ALLOWED_NETWORKS to permit it."
INTRANET = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.fixture(autouse=True)
def _no_networks(settings: Settings) -> None:
    settings.TICKHOOK_ALLOWED_NETWORKS = []


@pytest.mark.parametrize(
    "address",
    [
        # IPv4: this network, private, shared (CGNAT), loopback, link-local, protocol
        # assignments, documentation, 6to4 relay, benchmarks, multicast, reserved.
        "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.1.1",  # noqa: S104 - not bound
        "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
        "169.254.169.254", "192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.2.1",
        "198.51.100.1", "203.0.113.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
        "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        # IPv6, and the forms that contain an IPv4 address.
        "::", "::1", "::127.0.0.1", "::a00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::5db8:d70e",
        "64:ff9b:1::1", "64:ff9b:1:7f00:1::", "100::1", "2001::1", "2001:0:7f00:1::",
        "2001:2::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::",
        "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1",
        "ff0e::1",
    ],
)  # fmt: skip
def test_special_networks_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["93.184.215.14", "192.0.1.1", "100.63.0.1", "2606:4700::1111", "::ffff:1.1.1.1"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_of_a_private_network_is_rejected(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        check_url(url)


@pytest.mark.parametrize("url", [url for url in REFUSED if url.startswith("http://")])
def test_https_does_not_allow_private_networks(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        check_url(url.replace("http://", "https://"))


def test_the_parts_of_a_valid_url_are_returned() -> None:
    assert check_url("https://Api.Example.com./a?b=%20#c") == Target(
        scheme="https", host="api.example.com.", port=443, path="/a?b=%20"
    )
    assert check_url("https://[2606:4700::1111]:8443").authority == (
        "[2606:4700::1111]:8443"
    )


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("https://10.0.0.5/", f"The address 10.0.0.5 is private, which is {WAY_OUT}"),
        ("http://127.1/", f"The address 127.0.0.1 is private, which is {WAY_OUT}"),
        ("https://db.internal/", "The host name db.internal belongs to a private netw"),
        ("https://a.example:5432/", "Port 5432 is not allowed. Use 80, 443 or a port"),
        ("http://a.example/", "The URL must start with https://. Only hosts in TICKHO"),
        ("https://a:b@a.example/", "The URL must not contain a user name or a passwor"),
    ],
)
def test_the_error_says_what_is_wrong_and_what_to_do(url: str, detail: str) -> None:
    with pytest.raises(UrlNotAllowed) as refusal:
        check_url(url)

    assert refusal.value.detail.startswith(detail)


def test_addresses_and_names_of_allowed_networks_are_accepted(
    settings: Settings,
) -> None:
    settings.TICKHOOK_ALLOWED_NETWORKS = INTRANET

    for host in ("10.0.0.5", "[fd00::1]", "agent.internal"):
        assert check_url(f"http://{host}:8080/").port == 8080
    with pytest.raises(UrlNotAllowed, match=r"192\.168\.0\.1 is private"):
        check_url("http://192.168.0.1/")
    with pytest.raises(UrlNotAllowed, match="must start with https://"):
        check_url("http://1.1.1.1/")


def test_only_allowed_addresses_are_returned(settings: Settings) -> None:
    settings.TICKHOOK_ALLOWED_NETWORKS = INTRANET
    texts = ("127.0.0.1", "1.1.1.1", "10.0.0.5", "192.168.0.1", "::1")
    addresses = [ip_address(text) for text in texts]

    secure = allowed_addresses(check_url("https://a.example/"), addresses)
    plain = allowed_addresses(check_url("http://a.example/"), addresses)

    assert [str(address) for address in secure] == ["1.1.1.1", "10.0.0.5"]
    assert [str(address) for address in plain] == ["10.0.0.5"]


def test_the_error_for_a_name_without_an_allowed_address_says_what_to_do() -> None:
    addresses = [ip_address("10.0.0.5"), ip_address("::1")]

    with pytest.raises(UrlNotAllowed) as refusal:
        allowed_addresses(check_url("https://a.example/"), addresses)

    assert refusal.value.detail == (
        "The host name resolves to a private address (10.0.0.5), which is not allowed. "
        "Add it to TICKHOOK_ALLOWED_NETWORKS to permit it."
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" 192.0.2.1 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("localhost", None),
        ("192.0.2.1" + " " * 100, None),
    ],
)
def test_an_address_is_read(text: str, address: str | None) -> None:
    parsed = parse_address(text)

    assert (None if parsed is None else str(parsed)) == address
