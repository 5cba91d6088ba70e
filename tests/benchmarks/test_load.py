from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from benchmarks.load import UnexpectedAnswer, build_request, send_all


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        bodies.append(body)
        self.send_response(200 if self.path == "/good" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


bodies: list[bytes] = []


@pytest.fixture
def port() -> Iterator[int]:
    bodies.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_each_request_is_sent_once(port: int) -> None:
    wanted = [str(n).encode() for n in range(50)]

    seconds = send_all([build_request("/good", b, {}) for b in wanted], port=port)

    assert sorted(bodies) == sorted(wanted)
    assert seconds > 0


def test_an_answer_other_than_200_ends_the_run(port: int) -> None:
    requests = [build_request("/bad", b"{}", {"X-One": "1"})] * 50

    with pytest.raises(ExceptionGroup) as failed:
        send_all(requests, port=port)

    assert failed.group_contains(UnexpectedAnswer)
