"""A sender of signed webhooks that retries as real senders do."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.acceptance.waiting import wait_for

_TIMEOUT_SECONDS = 15
_RETRY_SECONDS = 0.2
_GIVE_UP_AFTER = 600
_RETRIED = {429, 500, 502, 503, 504}


class Sender:
    """Delivers each payload until it gets a 2xx; 32 at a time, so that batches form."""

    def __init__(self, url: str, *, path: str, secret: str) -> None:
        address = urlsplit(url)
        self._address = (address.hostname or "", address.port)
        self._path = path
        self._secret = secret.encode()
        self._own = threading.local()
        self._opened: list[HTTPConnection] = []
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(32)
        self._sent: list[Future[str]] = []
        self.accepted: list[str] = []
        self.refused: list[int] = []
        self.retries = 0

    def send(self, first: int, payloads: Sequence[object]) -> None:
        """Start to deliver; delivery ids count from `first`."""
        for place, payload in enumerate(payloads, first):
            self._sent.append(self._pool.submit(self._deliver, f"d-{place}", payload))

    def wait_until_accepted(self, number: int, *, timeout_seconds: float) -> None:
        wait_for(lambda: len(self.accepted) >= number, timeout_seconds=timeout_seconds)

    def finish(self) -> None:
        """Wait until all deliveries have ended; raise what one of them raised."""
        for future in self._sent:
            future.result()

    def close(self) -> None:
        self._ended.set()
        self._pool.shutdown(cancel_futures=True)
        for connection in self._opened:
            connection.close()

    def _deliver(self, delivery_id: str, payload: object) -> str:
        body = json.dumps(payload).encode()
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Delivery-Id": delivery_id,
            "X-Webhook-Signature": f"sha256={signature}",
        }
        for _ in range(_GIVE_UP_AFTER):
            status = self._post(body, headers)
            if 200 <= status < 300:
                self.accepted.append(delivery_id)
                return delivery_id
            if status and status not in _RETRIED:
                self.refused.append(status)
                return delivery_id
            self.retries += 1
            if self._ended.wait(_RETRY_SECONDS):
                break
        raise AssertionError(f"{delivery_id} was never accepted")

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        """Return the status of the response; 0 if there was none."""
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = HTTPConnection(*self._address, timeout=_TIMEOUT_SECONDS)
            self._own.connection = connection
            self._opened.append(connection)
        try:
            connection.request("POST", self._path, body=body, headers=headers)
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException):
            connection.close()  # the next request opens it again
            return 0
        return int(response.status)


@contextmanager
def sending(url: str, *, path: str, secret: str) -> Iterator[Sender]:
    """Yield a sender; end its threads, also if deliveries fail."""
    sender = Sender(url, path=path, secret=secret)
    try:
        yield sender
    finally:
        sender.close()
