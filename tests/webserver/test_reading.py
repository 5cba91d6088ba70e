"""What is read of a request, and what is refused before a view sees it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from senders import definitions
from tests.webserver.edge import (
    CHUNKED,
    LIMITS,
    Headers,
    Sender,
    ask,
    make_scope,
    of_length,
)
from webserver.limits import MAX_DELIVERY_BYTES


def never(*args: object) -> list[bytes]:
    raise AssertionError("The application was called")


@pytest.mark.parametrize("headers", [of_length(5), CHUNKED])
def test_a_body_that_comes_in_pieces_is_one_body(headers: Headers) -> None:
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
    assert sender.json["detail"] == "At most 100 bytes are taken here"


def test_chunks_over_the_limit_are_refused_as_soon_as_they_are() -> None:
    sender = Sender([b"x" * 60] * 3, is_over=False, is_gone=True)

    ask(sender, make_scope(headers=CHUNKED), never)

    assert sender.status == 413
    assert sender.json["instance"] == "/api/v1/x"


@pytest.mark.parametrize("size", [99, 100])
def test_a_body_up_to_the_limit_is_taken(size: int) -> None:
    sender = ask(Sender([b"x" * size]), make_scope(headers=CHUNKED))

    assert (sender.status, len(sender.body)) == (200, size)


def test_a_delivery_may_be_as_large_as_any_type_allows() -> None:
    schema = definitions.__path__[0] + "/schema.json"
    with open(schema) as file:
        properties = json.load(file)["properties"]

    assert properties["max_body_bytes"]["maximum"] == MAX_DELIVERY_BYTES
    assert LIMITS.body_bytes("/webhooks/x") == MAX_DELIVERY_BYTES
    assert LIMITS.body_bytes("/webhook") == 100


def test_a_refused_delivery_is_told_as_the_door_tells_it() -> None:
    headers = of_length(MAX_DELIVERY_BYTES + 1)

    sender = ask(Sender([], is_gone=True), make_scope("/webhooks/a", headers=headers))

    assert sender.headers["content-type"] == "application/problem+json"
    assert sender.json["error_code"] == "body_too_large"
    assert (sender.json["success"], sender.json["status"]) == (False, 413)
    assert sender.json["error"] == "At most 26,214,400 bytes are taken here"


def test_a_refusal_bears_the_request_id_that_was_sent() -> None:
    sent = "01a214c8-fce6-7074-ac67-3936a41ae4c1"
    headers = [*of_length(101), (b"x-request-id", sent.encode())]

    sender = ask(Sender([], is_gone=True), make_scope(headers=headers))

    assert sender.json["request_id"] == sent


@pytest.mark.parametrize("headers", [of_length(50), CHUNKED])
def test_a_body_that_does_not_arrive_in_time_is_given_up(headers: Headers) -> None:
    limits = replace(LIMITS, body_seconds=0.01)
    sender = Sender([b"x"], is_over=False)

    ask(sender, make_scope(headers=headers), never, limits)

    assert (sender.status, sender.headers["connection"]) == (408, "close")
    assert sender.json["error_code"] == "request_too_slow"


@pytest.mark.parametrize("headers", [of_length(50), CHUNKED])
def test_half_a_body_is_given_to_nobody(headers: Headers) -> None:
    sender = Sender([b"x"], is_over=False, is_gone=True)

    ask(sender, make_scope(headers=headers), never)

    assert (sender.status, sender.headers["connection"]) == (400, "close")
    assert sender.json["error_code"] == "body_incomplete"


def test_a_body_shorter_than_announced_is_given_to_nobody() -> None:
    sender = ask(Sender([b"x"]), make_scope(headers=of_length(50)), never)

    assert (sender.status, sender.json["error_code"]) == (400, "body_incomplete")
