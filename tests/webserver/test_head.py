"""What is refused because of its headers, before anything of its body is read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webserver.edge import (
    CHUNKED,
    Headers,
    Sender,
    ask,
    make_scope,
    of_length,
)
from webserver.head import MAX_HEAD_BYTES, MAX_HEADERS


def never(*args: object) -> list[bytes]:
    raise AssertionError("The application was called")


def refused(headers: Headers, **changes: Any) -> Sender:
    """Send a request that never reaches the application."""
    scope = make_scope("/webhooks/x", headers=headers, **changes)
    return ask(Sender([], is_gone=True), scope, never)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_more_than_a_hundred_headers_are_refused(version: str) -> None:
    sender = refused([(b"x-a", b"")] * MAX_HEADERS, http_version=version)

    assert (sender.status, sender.reads) == (431, 1)
    assert sender.json["error_code"] == "headers_too_large"
    assert sender.json["detail"] == (
        "The request has 101 headers; at most 100 are taken"
    )


def test_a_hundred_headers_are_taken() -> None:
    sender = ask(Sender([]), make_scope(headers=[(b"x-a", b"1")] * (MAX_HEADERS - 1)))

    assert sender.status == 200


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_headers_of_more_than_64_kib_are_refused(version: str) -> None:
    headers = [(b"x-a", b"a" * (MAX_HEAD_BYTES // 2))] * 2

    sender = refused(headers, http_version=version)

    assert (sender.status, sender.json["error_code"]) == (431, "headers_too_large")


def test_path_and_query_count_as_part_of_the_head() -> None:
    sender = refused([], query_string=b"a" * MAX_HEAD_BYTES)

    assert sender.status == 431


@pytest.mark.parametrize("values", [(), (b"",), (b"a", b"a"), (b"a", b"b")])
def test_over_http_1_1_host_is_sent_exactly_once(values: tuple[bytes, ...]) -> None:
    scope = make_scope("/webhooks/x")
    scope["headers"] = [(b"host", value) for value in values]

    sender = ask(Sender([], is_gone=True), scope, never)

    assert (sender.status, sender.json["error_code"]) == (400, "malformed_headers")
    assert sender.json["detail"].startswith("The header Host ")


@pytest.mark.parametrize("version", ["1", "1.0", "2"])
def test_older_and_newer_versions_need_no_host(version: str) -> None:
    scope = make_scope(http_version=version, method="GET")
    scope["headers"] = [(b"host", b"")]

    sender = ask(Sender([b""]), scope)

    assert sender.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [*CHUNKED, *of_length(5)],
        [*of_length(5), *CHUNKED],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"chunked, chunked")],
        [(b"transfer-encoding", b"identity"), *CHUNKED],
        [(b"transfer-encoding", b"")],
    ],
)
def test_a_body_of_unclear_length_is_refused(headers: Headers) -> None:
    sender = refused(headers)

    assert (sender.status, sender.json["error_code"]) == (400, "malformed_headers")
    assert sender.headers["connection"] == "close"


def test_chunked_is_written_in_any_case() -> None:
    headers = [(b"transfer-encoding", b" Chunked")]

    sender = ask(Sender([b"hello"]), make_scope(headers=headers))

    assert (sender.status, sender.body) == (200, b"hello")
