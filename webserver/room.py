from __future__ import annotations

from types import TracebackType

from webserver.limits import SMALL_BODY_BYTES, Limits, ServerBusy


class Room:
    """Counts the requests of one process and their bytes. Used by one thread only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.requests = 0
        self.large_bytes = 0

    def place(self) -> Place:
        """Return a place to hold while a request is read and answered."""
        return Place(self)

    def enter(self) -> None:
        if self.requests >= self._limits.max_requests:
            raise ServerBusy
        self.requests += 1

    def leave(self, large_bytes: int) -> None:
        self.requests -= 1
        self.large_bytes -= large_bytes

    def take(self, large_bytes: int) -> None:
        if self.large_bytes + large_bytes > self._limits.large_bytes:
            raise ServerBusy
        self.large_bytes += large_bytes


class Place:
    """The room that one request takes; entering and `grow` may raise ServerBusy."""

    __slots__ = ("_large_bytes", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._large_bytes = 0

    def __enter__(self) -> Place:
        self._room.enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._room.leave(self._large_bytes)

    def grow(self, size: int) -> None:
        """Hold a body of this size. Bytes count once they are here: to announce many
        takes nothing from others.
        """
        more = size - SMALL_BODY_BYTES - self._large_bytes
        if more > 0:
            self._room.take(more)
            self._large_bytes += more
