"""Bodies that are too slow or too large, sent to a real web server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from config.request_classes import MAX_WEBHOOK_BYTES
from tests.acceptance.client import Api, Request, path_of, send_all
from tests.acceptance.stack import Stack
from tests.acceptance.wire import Wire, chunk, request, wires

pytestmark = pytest.mark.acceptance

BODY_SECONDS = 10
SLOW = 50
REQUESTS = 40
PIECE = chunk(b"x" * 2**20)


@pytest.fixture(scope="module")
def hook(stack: Stack, client: Api) -> str:
    """Return the path of a trigger's webhook."""
    stack.environment["TICKHOOK_BODY_SECONDS"] = str(BODY_SECONDS)
    stack.start("web")
    made = client.make_trigger(
        name="hook", agent_id=client.make_echo_agent(), trigger_type="webhook"
    )
    return path_of(made)


def deliver(stack: Stack, hook: str) -> list[float]:
    """Deliver a few times; return the seconds of each, sorted."""
    answers = send_all(
        stack.url,
        [Request(path=hook, body=b'{"number": %d}' % n) for n in range(REQUESTS)],
        senders=4,
    )
    assert {answer.status for answer in answers} == {200}
    return sorted(answer.seconds for answer in answers)


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (request("/webhooks/x", "Content-Length: 500"), b"x"),
        (request("/webhooks/x", "Transfer-Encoding: chunked"), chunk(b"x")),
        (b"POST /webhooks/x HTTP/1.1\r\nHost: ", b"x"),
    ],
    ids=["a length", "chunks", "headers"],
)
def test_slow_senders_delay_no_other_sender(
    stack: Stack,
    hook: str,
    note_figure: Callable[[str, object], None],
    beginning: bytes,
    drop: bytes,
) -> None:
    unloaded = deliver(stack, hook)
    with wires(stack.url, SLOW) as slow:
        send_to_all(slow, beginning)
        loaded: list[float] = []
        for _ in range(3):
            send_to_all(slow, drop)
            loaded += deliver(stack, hook)

        assert all(wire.is_silent() for wire in slow)
    note_figure("p99 without, with slow ones, ms", (p99(unloaded), p99(sorted(loaded))))


def send_to_all(wires: Sequence[Wire], data: bytes) -> None:
    for wire in wires:
        wire.send(data)


def p99(seconds: Sequence[float]) -> float:
    return round(seconds[int(len(seconds) * 0.99)] * 1000, 1)


@pytest.mark.parametrize(
    "header", ["Content-Length: 500", "Transfer-Encoding: chunked"]
)
def test_a_body_that_does_not_arrive_is_answered_with_408(
    stack: Stack, hook: str, header: str
) -> None:
    with Wire(stack.url) as wire:
        wire.send(request(hook, header))

        head, body = wire.answer()

        assert head.status == 408
        assert json.loads(body)["error_code"] == "request_too_slow"
        assert wire.is_closed()


def test_a_length_over_the_limit_is_rejected_at_once(stack: Stack, hook: str) -> None:
    with Wire(stack.url) as wire:
        wire.send(request(hook, f"Content-Length: {MAX_WEBHOOK_BYTES + 1}"))

        head, body = wire.answer()

        assert (head.status, json.loads(body)["success"]) == (413, False)
        assert wire.is_closed()


def test_chunks_over_the_limit_are_rejected_before_the_last_one(
    stack: Stack, hook: str
) -> None:
    before = stack.number("SELECT count(*) FROM events_event")
    deadline, sent = time.monotonic() + 30, 0
    with Wire(stack.url) as wire:
        wire.send(request(hook, "Transfer-Encoding: chunked"))
        with suppress(ConnectionError):  # the server has closed the connection
            while time.monotonic() < deadline:
                wire.send(PIECE)
                sent += 1
        head, body = wire.answer()

    assert MAX_WEBHOOK_BYTES // 2**20 <= sent < 100
    assert (head.status, json.loads(body)["error_code"]) == (413, "body_too_large")
    assert stack.number("SELECT count(*) FROM events_event") == before
