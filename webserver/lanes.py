"""Decides which threads work on a request.

Webhooks may use all threads. A login or a page of the admin takes a thread for much
longer: such requests use at most half of the threads, so that no number of them stops
webhooks. The probes have threads of their own, which work when all others are taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from webserver.limits import DOOR, PROBES, Limits
from webserver.room import Room
from webserver.threads import Job, Share, Threads

_PROBES_AT_ONCE = 20


class Runs(Protocol):
    """Anything that has jobs done."""

    def run(self, job: Job) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Where requests of one kind are counted and worked on.

    With `holds_back`, a client that is throttled gets its answer a moment later.
    """

    room: Room
    threads: Runs
    holds_back: bool = False


class Lanes:
    """The lanes of one process."""

    def __init__(self, limits: Limits, *, threads: int) -> None:
        room, all_threads = Room(limits), Threads(threads)
        pages = Share(
            all_threads, count=max(1, threads // 2), most_waiting=limits.waiting_pages
        )
        self._webhooks = Lane(room=room, threads=all_threads)
        self._pages = Lane(room=room, threads=pages, holds_back=True)
        few = replace(limits, max_requests=_PROBES_AT_ONCE, large_bytes=0)
        # One each: while the database hangs, /readyz does, but /livez must not.
        self._probes = {
            path: Lane(room=Room(few), threads=Threads(1, name=path.strip("/")))
            for path in PROBES
        }

    def of(self, path: str) -> Lane:
        if path.startswith(DOOR):
            return self._webhooks
        return self._probes.get(path, self._pages)
