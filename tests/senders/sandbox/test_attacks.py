"""Each attack is rejected or stopped, and an honest call directly after it works."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from senders.sandbox import (
    SandboxRefused,
    SandboxTimedOut,
    run_parser,
    run_validator,
)
from tests.senders.sandbox.code import BOMBS, ECHO, ESCAPES, LOOPS, parser_of
from tests.senders.sandbox.processes import workers_of


def attack(code: str) -> None:
    run_parser(code, body={}, headers={}, config={})


@pytest.fixture(autouse=True)
def _honest_calls_work_right_after() -> Iterator[None]:
    yield
    assert run_parser(ECHO, body=1, headers={}, config={}) == {"echo": 1}


@pytest.mark.parametrize("code", ESCAPES.values(), ids=ESCAPES)
def test_code_cannot_escape(code: str) -> None:
    with pytest.raises(SandboxRefused) as raised:
        attack(code)

    assert raised.value.detail.partition(" in line ")[0] in {
        "AttributeError",
        "FileNotFoundError",
        "ModuleNotFoundError",
        "NameError",
        "PermissionError",
        "RuntimeError",
    }


def test_no_file_was_written() -> None:
    with pytest.raises(SandboxRefused):
        attack(ESCAPES["write a file"])

    assert not Path("/tmp/tickhook-sandbox").exists()  # noqa: S108 - must not be there


@pytest.mark.parametrize("code", BOMBS.values(), ids=BOMBS)
def test_growing_code_is_stopped(code: str) -> None:
    with pytest.raises(SandboxRefused):
        attack(code)


@pytest.mark.parametrize("code", LOOPS.values(), ids=LOOPS)
def test_endless_code_is_stopped(code: str) -> None:
    with pytest.raises(SandboxTimedOut) as stopped:
        attack(code)

    assert stopped.value.detail == "It ran longer than 500 ms"


def test_a_validator_is_stopped_sooner() -> None:
    with pytest.raises(SandboxTimedOut, match="longer than 50 ms"):
        run_validator(LOOPS["plain"], headers={}, body={}, config={})


def test_memory_is_limited_to_32_megabytes() -> None:
    attack(parser_of("x = 'y' * 30_000_000"))

    with pytest.raises(SandboxRefused, match="more than 32 MB of memory"):
        attack(parser_of("x = 'y' * 34_000_000"))


def test_time_is_limited_to_half_a_second() -> None:
    spin = (
        "from time import monotonic as now\n"
        "    end = now() + {}\n"
        "    while now() < end: pass"
    )

    attack(parser_of(spin.format(0.2)))
    with pytest.raises(SandboxTimedOut):
        attack(parser_of(spin.format(0.55)))


def test_an_interpreter_that_does_not_stop_is_killed_and_replaced() -> None:
    run_parser(ECHO, body=1, headers={}, config={})
    before = workers_of(os.getpid())

    for _ in before:
        with pytest.raises(SandboxTimedOut):
            attack(LOOPS["not interruptible"])

    assert run_parser(ECHO, body=1, headers={}, config={}) == {"echo": 1}
    assert not before <= workers_of(os.getpid())


def test_an_error_of_a_host_function_reveals_nothing_of_this_machine() -> None:
    tell = parser_of(
        "import hmac\n"
        "    try: hmac.new('k', 'm', 'no-such-digest')\n"
        "    except Exception as e: return {'text': str(e), 'kind': type(e).__name__}"
    )

    found = run_parser(tell, body={}, headers={}, config={})

    assert found == {"kind": "ValueError", "text": "the arguments are not valid"}


@pytest.mark.skipif(
    shutil.which("prlimit") is None and "CI" not in os.environ,
    reason="needs prlimit and setpriv of util-linux",
)
def test_the_kernel_limits_an_interpreter_too() -> None:
    run_parser(ECHO, body=1, headers={}, config={})
    (worker, *_) = workers_of(os.getpid())

    limits = Path(f"/proc/{worker}/limits").read_text()
    status = Path(f"/proc/{worker}/status").read_text()

    bounded = {line[:18].strip(): line.split()[-3] for line in limits.splitlines()[1:]}
    assert bounded["Max address space"] == str(1024**3)
    assert bounded["Max open files"] == "32"
    assert bounded["Max file size"] == "0"
    assert "NoNewPrivs:\t1" in status
    assert Path(f"/proc/{worker}/environ").read_bytes().count(b"=") <= 1
