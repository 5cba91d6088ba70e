from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from benchmarks.load import UnexpectedAnswer, build_request, send_all
from benchmarks.open_loop import Offer, offer_all


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


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # A connection that finds the queue full waits for seconds.
    request_queue_size = 256


bodies: list[bytes] = []


@pytest.fixture
def port() -> Iterator[int]:
    bodies.clear()
    with Server(("127.0.0.1", 0), Handler) as server:
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

    with pytest.raises(UnexpectedAnswer, match="500"):
        send_all(requests, port=port)


def test_concurrent_offers_are_all_answered(port: int) -> None:
    bodies = [str(n).encode() for n in range(30)]
    good, bad = (
        Offer(
            requests=[build_request(path, body, {}) for body in bodies],
            per_second=1000,
            source=source,
            status=status,
        )
        for path, source, status in [
            ("/good", "127.0.0.1", 200),
            ("/bad", "127.0.0.2", 500),
        ]
    )

    latencies = offer_all([good, bad], port=port)

    assert [len(each) for each in latencies] == [30, 30]
    assert all(seconds > 0 for each in latencies for seconds in each)


def test_an_unexpected_answer_ends_an_offer(port: int) -> None:
    offer = Offer(
        requests=[build_request("/bad", b"{}", {})],
        per_second=10,
        source="127.0.0.1",
        status=200,
    )

    with pytest.raises(UnexpectedAnswer):
        offer_all([offer], port=port)
