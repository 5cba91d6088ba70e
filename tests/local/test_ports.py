from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from local.ports import Port, PortTakenError, refuse_taken_ports


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _port(listener: socket.socket, variable: str) -> Port:
    return Port(variable=variable, host="127.0.0.1", number=listener.getsockname()[1])


def test_a_taken_port_is_refused_by_the_name_of_its_variable(
    listener: socket.socket,
) -> None:
    port = _port(listener, "FLOWER_PORT")

    with pytest.raises(PortTakenError) as refusal:
        refuse_taken_ports([port])

    assert str(refusal.value) == (
        f"FLOWER_PORT: cannot listen on 127.0.0.1:{port.number} "
        "(Address already in use). Set FLOWER_PORT to a free port."
    )


def test_a_port_is_free_again_once_its_listener_closed(
    listener: socket.socket,
) -> None:
    port = _port(listener, "TICKHOOK_PORT")
    client = socket.create_connection(("127.0.0.1", port.number))
    accepted, _ = listener.accept()
    for end in (accepted, client, listener):
        end.close()

    refuse_taken_ports([port])
