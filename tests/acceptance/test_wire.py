"""The environ that an application gets for requests on a real connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.stack import Stack
from tests.acceptance.wire import Wire, chunk, request

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def url(stack: Stack) -> str:
    stack.start("web", app="tests.acceptance.echo_app:application")
    return stack.url


def send(url: str, data: bytes) -> dict[str, Any]:
    with Wire(url) as wire:
        wire.send(data)
        head, body = wire.answer()
    assert head.status == 200
    environ: dict[str, Any] = json.loads(body)
    return environ


def test_path_and_query_arrive_as_they_were_sent(url: str) -> None:
    sent = "/webhooks/a%2Fb%c3%a9%ff?x=%41+&x=a%20b"

    environ = send(url, request(sent, method="GET"))

    assert environ["REQUEST_URI"] == sent
    assert environ["PATH_INFO"] == "/webhooks/a/bÃ©ÿ"


def test_headers_arrive_as_they_were_sent(url: str) -> None:
    headers = ("X-L: caf\xe9", "X_Forwarded_For: 1.2.3.4", "X-A: 1", "x-a: 2")

    environ = send(url, request("/", *headers, method="GET"))

    assert (environ["HTTP_X_L"], environ["HTTP_X_A"]) == ("café", "1,2")
    assert "HTTP_X_FORWARDED_FOR" not in environ


def test_a_body_in_chunks_has_a_length(url: str) -> None:
    head = request("/", "Transfer-Encoding: chunked")

    environ = send(url, head + chunk(b"hel") + chunk(b"lo") + chunk(b""))

    assert (environ["body"], environ["CONTENT_LENGTH"]) == ("hello", "5")


def test_two_requests_sent_at_once_are_answered_in_their_order(url: str) -> None:
    first = request("/1", "Content-Length: 1") + b"a"
    second = request("/2", "Transfer-Encoding: chunked") + chunk(b"b") + chunk(b"")

    with Wire(url) as wire:
        wire.send(first + second)
        answers = [json.loads(wire.answer()[1]) for _ in range(2)]

    assert [a["REQUEST_URI"] for a in answers] == ["/1", "/2"]
    assert [a["body"] for a in answers] == ["a", "b"]


def test_a_sender_that_waits_for_100_gets_it(url: str) -> None:
    with Wire(url) as wire:
        wire.send(request("/", "Content-Length: 2", "Expect: 100-continue"))
        assert wire.head().status == 100
        wire.send(b"ok")
        _, body = wire.answer()

    assert json.loads(body)["body"] == "ok"


def test_a_sender_that_waits_for_100_gets_413_instead(url: str) -> None:
    with Wire(url) as wire:
        wire.send(request("/", "Content-Length: 1001", "Expect: 100-continue"))
        head, _ = wire.answer()

    assert head.status == 413


def test_head_has_no_body_and_leaves_the_connection_in_order(url: str) -> None:
    with Wire(url) as wire:
        wire.send(request("/", method="HEAD") + request("/2", method="GET"))
        head = wire.head()
        _, body = wire.answer()

    assert (head.status, int(head.headers["content-length"]) > 0) == (200, True)
    assert json.loads(body)["REQUEST_URI"] == "/2"


def test_a_malformed_body_does_not_reach_the_application(url: str) -> None:
    with Wire(url) as wire:
        head = request("/", "Transfer-Encoding: chunked")
        wire.send(head + chunk(b"hello") + b"no length\r\n")

        assert wire.head().status == 400


def test_http_2_is_rejected(url: str) -> None:
    preface, settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\4\0\0\0\0\0"

    with Wire(url) as wire:
        wire.send(preface + settings)

        assert wire.is_closed()


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Host:",),
        ("Host: a.test", "Host: a.test"),
        ("Host: a.test", "Host: b.test"),
        ("Host: a.test", "Transfer-Encoding: gzip, chunked"),
        ("Host: a.test", "Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
    ],
)
def test_an_ambiguous_head_is_rejected(url: str, headers: tuple[str, ...]) -> None:
    lines = ["POST / HTTP/1.1", *headers, "", ""]
    with Wire(url) as wire:
        wire.send("\r\n".join(lines).encode() + chunk(b"hello") + chunk(b""))
        head, body = wire.answer()

    assert (head.status, json.loads(body)["error_code"]) == (400, "malformed_headers")
    assert head.headers["connection"] == "close"


def test_too_many_headers_are_rejected(url: str) -> None:
    headers = [f"X-{number}: a" for number in range(200)]

    with Wire(url) as wire:
        wire.send(request("/", *headers, method="GET"))

        assert wire.head().status == 431
