"""Hostile requests: each gets a 2xx or 4xx; with a 2xx its body is stored unchanged."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import Answer, Api, path_of
from tests.acceptance.raw import RawRequest, send_half_closed, send_raw
from tests.acceptance.stack import Stack

pytestmark = pytest.mark.acceptance

VECTORS = Path(__file__).parents[1] / "senders" / "vectors" / "bad_requests.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_bytes())["cases"]
JSON = {"Content-Type": "application/json"}
LONG = "a" * 5000

ODD = {
    "nul in the query": RawRequest(method="POST", path="{hook}?a=%00", headers=JSON),
    "bytes in the query": RawRequest(
        method="POST", path="{hook}?%ff=\udcff", headers=JSON
    ),
    "long query": RawRequest(method="POST", path=f"{{hook}}?{LONG}", headers=JSON),
    "long path": RawRequest(method="POST", path=f"/webhooks/{LONG}", headers=JSON),
    "long header": RawRequest(
        method="POST", path="{hook}", headers={**JSON, "X-Long": "b" * 20_000}
    ),
    "nul as delivery id": RawRequest(
        method="POST", path="{hook}", headers={**JSON, "webhook-id": "\udcff\udcfe"}
    ),
    "negative length": RawRequest(
        method="POST", path="{hook}", headers={**JSON, "Content-Length": "-1"}
    ),
    "no gzip": RawRequest(
        method="POST",
        path="{hook}",
        headers={**JSON, "Content-Encoding": "gzip"},
        body=b"{}",
    ),
    "encoding of a codec": RawRequest(
        method="POST",
        path="{hook}",
        headers={**JSON, "Content-Encoding": "zlib"},
        body=b"{}",
    ),
    "bad chunks": RawRequest(
        method="POST",
        path="{hook}",
        headers={**JSON, "Transfer-Encoding": "chunked", "Content-Length": "3"},
        body=b"zz\r\n",
    ),
    "unknown method": RawRequest(method="BREW", path="{hook}", headers={}),
    "trace": RawRequest(method="TRACE", path="{hook}", headers={}),
    "prefers nonsense": RawRequest(
        method="POST", path="{hook}", headers={**JSON, "Prefer": "wait=" + "9" * 400}
    ),
    "forged forwarding": RawRequest(
        method="POST", path="{hook}", headers={**JSON, "X-Forwarded-For": "a,,\udcff"}
    ),
}


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture(scope="module")
def hook(client: Api, shared_agent: str) -> str:
    """Return the path of an endpoint without a secret."""
    made = client.make_trigger(
        name="open", agent_id=shared_agent, trigger_type="webhook"
    )
    return path_of(made)


def request_of(case: dict[str, Any], hook: str, token: str) -> RawRequest:
    headers = {"Content-Type": case["content_type"]}
    if case["path"].startswith("/ev/"):
        headers["Authorization"] = f"Token {token}"
    for name, value in case["env_headers"].items():
        headers[name.removeprefix("HTTP_").replace("_", "-").title()] = value
    path = case["path"].replace("/hook/gh", hook).replace("/hook/", "/webhooks/")
    return RawRequest(
        method=case["method"],
        path=_api_path(path),
        headers=headers,
        body=base64.b64decode(case["body_b64"]),
    )


def _api_path(path: str) -> str:
    """Replace the paths and the filter of the vectors by those of this API."""
    return (
        path.replace("/ev/", "/api/v1/executions/")
        .replace("executions/?", "executions?")
        .replace("after=", "start_date=")
    )


def check(answer: Answer, stack: Stack, sent: bytes) -> None:
    assert 200 <= answer.status < 300 or 400 <= answer.status < 500, answer
    if answer.status < 300 and answer.body and b"event_id" in answer.body:
        query = "SELECT body FROM events_event WHERE id = %s"
        [[kept]] = stack.rows(query, answer.json["event_id"])
        assert bytes(kept) == sent


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_hostile_request_is_answered(
    stack: Stack, hook: str, case: dict[str, Any]
) -> None:
    request = request_of(case, hook, stack.api_token)

    answer = send_raw(stack.url, request.encode())

    check(answer, stack, request.body)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_request_is_answered(stack: Stack, hook: str, name: str) -> None:
    odd = ODD[name]
    request = RawRequest(
        method=odd.method,
        path=odd.path.replace("{hook}", hook),
        headers=odd.headers,
        body=odd.body,
    )

    answer = send_raw(stack.url, request.encode())

    check(answer, stack, request.body)


def test_a_half_closed_connection_and_a_retry_record_one_event(
    stack: Stack, hook: str
) -> None:
    """The server closes a connection whose sender has closed its side."""
    headers = {**JSON, "webhook-id": "half-closed"}
    request = RawRequest(method="POST", path=hook, headers=headers, body=b'{"a": 1}')
    for _ in range(3):
        send_half_closed(stack.url, request.encode())

    answer = send_raw(stack.url, request.encode())

    assert answer.status == 200
    key = "SELECT count(*) FROM events_event WHERE delivery_id = 'half-closed'"
    assert stack.number(key) == 1


def test_a_valid_request_is_still_accepted(stack: Stack, hook: str) -> None:
    request = RawRequest(method="POST", path=hook, headers=JSON, body=b'{"a": 1.0}')

    answer = send_raw(stack.url, request.encode())

    assert answer.status == 200
    check(answer, stack, request.body)
