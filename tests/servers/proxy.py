"""A TCP proxy that fails as networks do: connections stay open and carry nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress

_SLOW_SECONDS = 0.02


class TcpProxy:
    """Forwards to a Unix socket until a test makes it drop or delay data."""

    def __init__(self, socket: str) -> None:
        self._delay_seconds = 0.0
        self._socket = socket
        self._is_hole = False
        self._generation = 0
        self._port: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="proxy"
        )
        self._thread.start()
        self.port = self._port.result(10)

    def become_hole(self) -> None:
        """Accept new connections and forward nothing, also on open connections."""
        self._is_hole = True
        self._generation += 1

    def lose_connections(self) -> None:
        """Forward nothing on open connections; new ones work."""
        self._generation += 1

    def recover(self) -> None:
        """Forward new connections again."""
        self._is_hole = False

    def become_slow(self, *_: object) -> Callable[[], None]:
        """Delay all data; return a function that ends the delay."""
        self._delay_seconds = _SLOW_SECONDS
        return lambda: setattr(self, "_delay_seconds", 0.0)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._closed = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port.set_result(server.sockets[0].getsockname()[1])
        await self._closed.wait()
        server.close()

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        generation = self._generation
        with closing(writer), suppress(OSError, asyncio.CancelledError):
            if self._is_hole:
                await _swallow(reader)
                return
            from_server, to_server = await asyncio.open_unix_connection(self._socket)
            with closing(to_server):
                await asyncio.gather(
                    self._pump(reader, to_server, generation),
                    self._pump(from_server, writer, generation),
                )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        generation: int,
    ) -> None:
        while data := await reader.read(65536):
            if self._delay_seconds:
                await asyncio.sleep(self._delay_seconds)
            if generation == self._generation:
                writer.write(data)
        writer.close()


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


@contextmanager
def proxy_to(socket: str) -> Iterator[TcpProxy]:
    made = TcpProxy(socket)
    try:
        yield made
    finally:
        made.close()
