"""HTTPS servers on this machine, with a certificate that only the tests trust."""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "localhost"
_DRIP_SECONDS = 0.02
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    url: str
    trust: ssl.SSLContext

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    closing: Event


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/moved":
            self._start(307, Location="/")
        elif self.path == "/big":
            self._start(200).write(b"big" * 1000)
        elif self.path == "/bomb":
            stream = self._start(200, **{"Content-Encoding": "gzip"})
            stream.write(gzip.compress(bytes(1_000_000)))
        elif self.path == "/headers":
            self._drip(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n")
        elif self.path == "/body":
            self._drip(b"HTTP/1.1 200 OK\r\n\r\n", b"drip")
        else:
            name = "Accept-Encoding" if self.path == "/encoding" else "Host"
            self._start(200).write(self.headers[name].encode())

    def _start(self, status: int, **headers: str) -> socket.SocketIO:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        return self.wfile  # type: ignore[return-value]  # a raw stream of the socket

    def _drip(self, start: bytes, piece: bytes) -> None:
        """Send the response in small parts, and never its end."""
        with suppress(OSError):
            self.wfile.write(start)
            while not self.server.closing.wait(_DRIP_SECONDS):
                self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def https_site(folder: Path) -> Iterator[Site]:
    """Serve the paths of the handler; `/` returns the Host header."""
    file = folder / "site.pem"
    file.write_bytes(_certificate())
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(file)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.closing = Event()
        server.socket = own.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
        trust = ssl.create_default_context(cafile=str(file))
        yield Site(url=f"https://{NAME}:{server.server_port}", trust=trust)
        server.closing.set()
        server.shutdown()


@contextmanager
def dripping_handshake() -> Iterator[int]:
    """Yield the port of a server that sends an endless TLS record, byte by byte."""
    closing = Event()

    def drip(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while not closing.wait(_DRIP_SECONDS):
                connection.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = Thread(target=drip, args=(listener,))
        thread.start()
        yield int(listener.getsockname()[1])
        closing.set()
        thread.join()


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
