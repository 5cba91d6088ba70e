"""Code of uploaded webhook types, run by a real web server and worker."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.client import Api, Request, path_of, send, send_all
from tests.acceptance.stack import PATIENT_WEB, Stack
from tests.acceptance.waiting import wait_for, wait_until_equal

pytestmark = pytest.mark.acceptance

SECRET = "a-secret-of-the-sender"  # noqa: S105 - made up for the tests
SENDERS = 16
VALIDATOR = """
def validate(body, headers, webhook_config):
    while body.get('is_endless'):
        pass
    return body['number'] < 1000
"""
PARSER = """
def parse(body, headers, webhook_config):
    while body.get('is_endless_later'):
        pass
    return {'double': body['number'] * 2}
"""
TYPE = {
    "parser": "DynamicWebhookParser",
    "json_schema": {"required": ["number"]},
    "signature": {
        "kind": "hmac",
        "signed": "{body}",
        "read_from": {"headers": ["X-Meter-Signature"]},
    },
    "signature_required": True,
    "validation_required": True,
    "validation_code": VALIDATOR,
    "custom_parser_code": PARSER,
}


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture(scope="module")
def agent(shared_agent: str) -> str:
    return shared_agent


@pytest.fixture(scope="module")
def path(client: Api) -> str:
    """Return the path of an endpoint whose type runs code for each delivery."""
    agent = client.make_echo_agent(name="meters")
    client.post("/webhook-types", {"slug": "meter", **TYPE})
    made = client.make_trigger(
        name="meter",
        agent_id=agent,
        trigger_type="webhook",
        webhook_type="meter",
        webhook_config={"secret": SECRET},
        parameter_mapping={"double": "parsed.double"},
    )
    return path_of(made)


def delivery(path: str, **body: object) -> Request:
    raw = json.dumps(body).encode()
    signature = hmac.digest(SECRET.encode(), raw, hashlib.sha256).hex()
    headers = {"Content-Type": "application/json", "X-Meter-Signature": signature}
    return Request(path=path, body=raw, headers=headers)


def status_of(stack: Stack, request: Request) -> int:
    return send(stack.url, request).status


def interpreters(stack: Stack) -> set[int]:
    """Return the ids of the interpreters that run code for a stack's programs."""
    mark = f"DATABASE_URL={stack.environment['DATABASE_URL']}".encode()
    folders = (f for f in Path("/proc").iterdir() if f.name.isdecimal())
    found = {int(f.name) for f in folders if _is_interpreter(f, mark)}
    return set(filter(_is_alive, found))


def _is_interpreter(process: Path, mark: bytes) -> bool:
    """Return whether a process is one; it has no environment, but its parent has."""
    with suppress(OSError, IndexError):
        parent = process.joinpath("stat").read_text().rpartition(")")[2].split()[1]
        is_ours = mark in Path(f"/proc/{parent}/environ").read_bytes().split(b"\0")
        return is_ours and process.joinpath("comm").read_text() == "monty\n"
    return False


def number_parsed(stack: Stack, numbers: range) -> int:
    """Return how many of the numbers reached the agent after parsing."""
    query = """SELECT parameters FROM agents_agenttask t
        JOIN agents_agent a ON a.id = t.agent_id WHERE a.name = 'meters'"""
    found = {parameters["double"] for (parameters,) in stack.rows(query)}
    return len(found & {n * 2 for n in numbers})


def test_many_at_once_are_validated_and_parsed(stack: Stack, path: str) -> None:
    numbers = range(160)
    wanted = [delivery(path, number=n) for n in numbers]

    answers = send_all(stack.url, wanted, senders=SENDERS)

    # On a busy machine code can exceed its time, or start too late.
    assert {answer.status for answer in answers} <= {200, 400, 503}
    for request, answer in zip(wanted, answers, strict=True):
        if answer.status != 200:
            wait_until_equal(
                partial(status_of, stack, request), 200, timeout_seconds=60
            )
    wait_until_equal(lambda: number_parsed(stack, numbers), 160, timeout_seconds=60)
    too_large = delivery(path, number=1000)
    wait_until_equal(partial(status_of, stack, too_large), 400, timeout_seconds=60)


def test_endless_code_is_refused_and_others_are_answered(
    stack: Stack, client: Api, agent: str, path: str
) -> None:
    other = client.make_trigger(name="other", agent_id=agent, trigger_type="webhook")
    endless = [delivery(path, number=n, is_endless=True) for n in range(32)]
    plain = [Request(path=path_of(other), body=b"{}") for _ in range(32)]
    mixed = [one for pair in zip(endless, plain, strict=True) for one in pair]

    answers = send_all(stack.url, mixed, senders=SENDERS)

    assert {answer.status for answer in answers[::2]} <= {400, 503}
    assert Counter(answer.status for answer in answers[1::2]) == {200: 32}
    wait_for(
        lambda: send(stack.url, delivery(path, number=1)).status == 200,
        timeout_seconds=60,
    )


def test_a_killed_interpreter_is_replaced(stack: Stack, path: str) -> None:
    numbers = range(200, 220)
    assert send(stack.url, delivery(path, number=1)).status == 200
    before = interpreters(stack)
    assert before

    for pid in before:
        os.kill(pid, signal.SIGKILL)
    answers = [send(stack.url, delivery(path, number=n)) for n in numbers]

    assert Counter(answer.status for answer in answers) == {200: 20}
    wait_until_equal(lambda: number_parsed(stack, numbers), 20, timeout_seconds=60)
    assert not before & interpreters(stack)


def test_no_interpreter_outlives_its_program(stack: Stack, path: str) -> None:
    assert send(stack.url, delivery(path, number=1)).status == 200
    running = interpreters(stack)
    assert running

    stack.stop("web", "worker")

    wait_for(lambda: not any(map(_is_alive, running)), timeout_seconds=60)
    stack.start("web", app=PATIENT_WEB)
    stack.start("worker")


def _is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie waits only for its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
