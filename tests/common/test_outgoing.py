from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from common import outgoing
from common.addresses import UrlNotAllowed, parse_address
from common.outgoing import Unreachable, fetch
from tests.common.tls import Site, dripping_handshake, https_site

PLENTY_SECONDS = 60.0
SHORT_SECONDS = 0.5


@pytest.fixture
def site(tmp_path: Path, settings: Settings) -> Iterator[Site]:
    settings.TICKHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with https_site(tmp_path) as served:
        yield served


def get(
    site: Site,
    path: str = "/",
    *,
    max_bytes: int = 100,
    timeout_seconds: float = PLENTY_SECONDS,
) -> bytes:
    return fetch(
        f"{site.url}{path}",
        max_bytes=max_bytes,
        timeout_seconds=timeout_seconds,
        tls=site.trust,
    )


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Make every host name resolve to these addresses."""
    genuine = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **named: Any) -> Any:
        texts = [host] if parse_address(host) else addresses
        return [found for text in texts for found in genuine(text, *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_the_request_names_the_host_of_the_url(site: Site) -> None:
    assert get(site) == f"localhost:{site.port}".encode()


def test_no_compressed_response_is_requested(site: Site) -> None:
    assert get(site, "/encoding") == b"identity"


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/moved", "The server answered with status 307"),
        ("/big", "The server sent more than 100 bytes"),
        ("/bomb", "The server answered with a compressed body"),
    ],
)
def test_an_unexpected_response_is_an_error(site: Site, path: str, detail: str) -> None:
    with pytest.raises(Unreachable) as refusal:
        get(site, path)

    assert refusal.value.detail == detail


@pytest.mark.parametrize("path", ["/headers", "/body"])
def test_a_slow_response_ends_at_the_deadline(site: Site, path: str) -> None:
    with pytest.raises(Unreachable, match=r"No complete answer within 0\.5 seconds"):
        get(site, path, max_bytes=10_000_000, timeout_seconds=SHORT_SECONDS)


def test_a_slow_handshake_ends_at_the_deadline(site: Site) -> None:
    with dripping_handshake() as port, pytest.raises(Unreachable, match="No complete"):
        fetch(f"https://localhost:{port}/", max_bytes=1, timeout_seconds=SHORT_SECONDS)


def test_an_untrusted_certificate_is_rejected(site: Site) -> None:
    with pytest.raises(Unreachable, match=r"certificate is not trusted: self-signed"):
        fetch(f"{site.url}/", max_bytes=100)


def test_a_certificate_of_another_host_is_rejected(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "127.0.0.1")

    url = f"https://example.com:{site.port}/"
    with pytest.raises(Unreachable, match="not trusted: Hostname mismatch"):
        fetch(url, max_bytes=100, tls=site.trust)


def test_a_missing_server_is_unreachable(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Unreachable, match="The connection failed: Connection refused"):
        fetch(f"https://localhost:{port}/", max_bytes=100)


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TICKHOOK_ALLOWED_NETWORKS = []
    resolve_to(monkeypatch, "127.0.0.1")

    with pytest.raises(UrlNotAllowed) as refusal:
        fetch(f"https://example.com:{site.port}/", max_bytes=100, tls=site.trust)

    assert refusal.value.detail == (
        "The host name resolves to a private address (127.0.0.1), which is not "
        "allowed. Add it to TICKHOOK_ALLOWED_NETWORKS to permit it."
    )


def test_no_connection_goes_to_a_private_address_among_others(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TICKHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.2/32")]
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")

    # The site listens only on 127.0.0.1: the other allowed address does not answer.
    with pytest.raises(Unreachable, match="Connection refused"):
        get(site)


def test_the_next_allowed_address_is_tried_after_a_failure(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")

    assert get(site) == f"localhost:{site.port}".encode()


def test_the_name_is_resolved_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    genuine = socket.getaddrinfo

    def count(host: str, *rest: Any, **named: Any) -> Any:
        if host == "localhost":
            asked.append(host)
        return genuine(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", count)
    get(site)

    assert asked == ["localhost"]


def test_a_hanging_resolver_delays_a_request_only_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = Event()

    def hang(*_: object, **__: object) -> list[object]:
        end.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(outgoing, "RESOLVE_SECONDS", 0.05)

    for _ in range(outgoing.MAX_RESOLVING_THREADS + 1):
        with pytest.raises(Unreachable, match="resolver of host names does not answer"):
            fetch("https://example.com/", max_bytes=1)

    end.set()
    for thread in threading.enumerate():
        if thread.name == "resolve":
            thread.join()


def test_a_name_that_does_not_exist_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(Unreachable, match="The host name is not known"):
        fetch("https://example.com/", max_bytes=1)


def test_a_process_makes_one_tls_context(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []
    genuine = ssl.create_default_context

    def create() -> ssl.SSLContext:
        made.append(genuine())
        return made[-1]

    outgoing._shared_tls.cache_clear()
    monkeypatch.setattr(ssl, "create_default_context", create)
    for _ in range(3):
        with pytest.raises(Unreachable):
            fetch(f"{site.url}/", max_bytes=100)

    assert len(made) == 1


def test_proxies_of_the_environment_are_not_used(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert get(site) == f"localhost:{site.port}".encode()
