from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from config.request_classes import MAX_WEBHOOK_BYTES
from senders import definitions
from tests.webserver.edge import (
    CHUNKED,
    LIMITS,
    Headers,
    Sender,
    ask,
    class_of,
    make_scope,
    of_length,
)
from webserver.reading import MAX_HEAD_BYTES, MAX_HEADERS


def never(*args: object) -> list[bytes]:
    raise AssertionError("The application was called")


@pytest.mark.parametrize("headers", [of_length(5), CHUNKED])
def test_pieces_of_a_body_are_joined(headers: Headers) -> None:
    sender = ask(Sender([b"he", b"", b"llo"]), make_scope(headers=headers))

    assert (sender.status, sender.body) == (200, b"hello")


def test_without_a_body_nothing_is_read() -> None:
    sender = ask(Sender([]), make_scope())

    assert (sender.status, sender.reads) == (200, 0)


def test_over_http_2_a_body_needs_no_length() -> None:
    sender = ask(Sender([b"hello"]), make_scope(http_version="2"))

    assert sender.body == b"hello"


def test_a_length_over_the_limit_is_refused_before_a_byte_is_read() -> None:
    sender = Sender([], is_gone=True)
    reads_when_answered: list[int] = []
    sender_send = sender.send

    async def send(message: dict[str, object]) -> None:
        reads_when_answered.append(sender.reads)
        await sender_send(message)

    sender.send = send  # type: ignore[method-assign]  # watched
    ask(sender, make_scope(headers=of_length(101)), never)

    assert (sender.status, reads_when_answered) == (413, [0, 0])
    assert sender.headers["connection"] == "close"
    assert sender.json["error_code"] == "request_too_large"
    assert sender.json["detail"] == "At most 100 bytes are accepted here"


def test_chunks_over_the_limit_are_refused_as_soon_as_they_are() -> None:
    sender = Sender([b"x" * 60] * 3, is_over=False, is_gone=True)

    ask(sender, make_scope(headers=CHUNKED), never)

    assert sender.status == 413
    assert sender.json["instance"] == "/api/v1/x"


@pytest.mark.parametrize("size", [99, 100])
def test_a_body_up_to_the_limit_is_accepted(size: int) -> None:
    sender = ask(Sender([b"x" * size]), make_scope(headers=CHUNKED))

    assert (sender.status, len(sender.body)) == (200, size)


def test_a_delivery_may_be_as_large_as_any_type_allows() -> None:
    schema = definitions.__path__[0] + "/schema.json"
    with open(schema) as file:
        properties = json.load(file)["properties"]

    assert properties["max_body_bytes"]["maximum"] == MAX_WEBHOOK_BYTES
    assert class_of("/webhooks/x").max_body_bytes == MAX_WEBHOOK_BYTES
    assert class_of("/webhook").max_body_bytes == 100


def test_the_server_refuses_a_delivery_in_the_format_of_the_receiver() -> None:
    headers = of_length(MAX_WEBHOOK_BYTES + 1)

    sender = ask(Sender([], is_gone=True), make_scope("/webhooks/a", headers=headers))

    assert sender.headers["content-type"] == "application/problem+json"
    assert sender.json["error_code"] == "body_too_large"
    assert (sender.json["success"], sender.json["status"]) == (False, 413)
    assert sender.json["error"] == "At most 26,214,400 bytes are accepted here"


def test_a_refusal_has_the_request_id_that_was_sent() -> None:
    sent = "01a214c8-fce6-7074-ac67-3936a41ae4c1"
    headers = [*of_length(101), (b"x-request-id", sent.encode())]

    sender = ask(Sender([], is_gone=True), make_scope(headers=headers))

    assert sender.json["request_id"] == sent


@pytest.mark.parametrize("headers", [of_length(50), CHUNKED])
def test_a_body_that_does_not_arrive_in_time_gets_408(headers: Headers) -> None:
    limits = replace(LIMITS, body_seconds=0.01)
    sender = Sender([b"x"], is_over=False)

    ask(sender, make_scope(headers=headers), never, limits)

    assert (sender.status, sender.headers["connection"]) == (408, "close")
    assert sender.json["error_code"] == "request_too_slow"


@pytest.mark.parametrize("headers", [of_length(50), CHUNKED])
def test_an_incomplete_body_does_not_reach_the_application(headers: Headers) -> None:
    sender = Sender([b"x"], is_over=False, is_gone=True)

    ask(sender, make_scope(headers=headers), never)

    assert (sender.status, sender.headers["connection"]) == (400, "close")
    assert sender.json["error_code"] == "body_incomplete"


def test_a_body_shorter_than_announced_does_not_reach_the_application() -> None:
    sender = ask(Sender([b"x"]), make_scope(headers=of_length(50)), never)

    assert (sender.status, sender.json["error_code"]) == (400, "body_incomplete")


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
        "The request has 101 headers; at most 100 are accepted"
    )


def test_a_hundred_headers_are_accepted() -> None:
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
