"""Refusing ports that somebody else listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass


class PortTakenError(RuntimeError):
    """Another program listens on a port that Tickhook was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An address to listen on, and the variable that sets its port."""

    variable: str
    host: str
    number: int


def refuse_taken_ports(ports: Iterable[Port]) -> None:
    """Raise `PortTakenError` for the first port that cannot be listened on."""
    for port in ports:
        try:
            _listen_briefly(port)
        except OSError as error:
            raise PortTakenError(
                f"{port.variable}: cannot listen on {port.host}:{port.number} "
                f"({error.strerror}). Set {port.variable} to a free port."
            ) from error


def _listen_briefly(port: Port) -> None:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family) as listener:
        # A connection that was closed a moment ago does not make a port taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((port.host, port.number))
        listener.listen(1)
