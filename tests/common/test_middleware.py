from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from common.middleware import ForwardedRequests

FORWARDED = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}


@pytest.fixture
def _proxies(settings: Settings) -> None:
    networks = ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")
    settings.TRUSTED_PROXIES = [ip_network(text) for text in networks]


def passed_on(remote: str, **headers: str) -> HttpRequest:
    request = RequestFactory().get("/")
    request.META.update(headers, REMOTE_ADDR=remote)
    ForwardedRequests(lambda _: HttpResponse())(request)
    return request


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("remote", ["10.1.2.3", "192.0.2.1", "2001:db8::7"])
def test_a_trusted_proxy_sets_client_and_scheme(remote: str) -> None:
    request = passed_on(remote, **FORWARDED)

    assert request.META["REMOTE_ADDR"] == "203.0.113.9"
    assert request.is_secure()


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("remote", ["203.0.113.1", "", "localhost", "192.0.2.2"])
def test_headers_of_other_addresses_are_ignored(remote: str) -> None:
    request = passed_on(remote, **FORWARDED)

    assert request.META["REMOTE_ADDR"] == remote
    assert not request.is_secure()
    assert not FORWARDED.keys() & request.META.keys()


def test_without_a_trusted_proxy_the_headers_are_removed() -> None:
    request = passed_on("10.1.2.3", **FORWARDED)

    assert request.META["REMOTE_ADDR"] == "10.1.2.3"
    assert not request.is_secure()
    assert not FORWARDED.keys() & request.META.keys()


def test_an_undeclared_proxy_causes_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    middleware = ForwardedRequests(lambda _: HttpResponse())
    for headers in ({}, FORWARDED, FORWARDED):
        request = RequestFactory().get("/")
        request.META.update(headers, REMOTE_ADDR="10.1.2.3")
        middleware(request)

    [record] = caplog.records
    assert record.getMessage().startswith("A request from 10.1.2.3 carries X-Forwarded")
    assert "add its address to TRUSTED_PROXIES" in record.getMessage()


@pytest.mark.usefixtures("_proxies")
def test_forwarded_headers_of_clients_cause_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    passed_on("203.0.113.1", **FORWARDED)

    assert caplog.records == []


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("203.0.113.9,10.0.0.2,192.0.2.1", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db9::1", "2001:db9::1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("<script>, 10.0.0.2", "10.0.0.2"),
        ("<script>", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_proxy(
    header: str, client: str
) -> None:
    request = passed_on("10.0.0.1", HTTP_X_FORWARDED_FOR=header)

    assert request.META["REMOTE_ADDR"] == client


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("scheme", ["", "ftp", "https, http"])
def test_an_unknown_scheme_changes_nothing(scheme: str) -> None:
    request = passed_on("10.0.0.1", HTTP_X_FORWARDED_PROTO=scheme)

    assert request.scheme == "http"
