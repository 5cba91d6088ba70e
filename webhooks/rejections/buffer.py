from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

MOST_SAMPLES = 200


class CountKey(NamedTuple):
    """What refusals are counted by; `hour` is its first second since the epoch."""

    endpoint_id: UUID
    cause: str
    hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRequest:
    """A row of Rejection about to be stored; `headers` is JSON text.

    `body_size` is that of the whole body, `event_id` what a duplicate repeats.
    """

    id: UUID
    endpoint: UUID
    cause: str
    status: int
    detail: str
    method: str
    remote_address: str | None
    delivery_id: str
    headers: str
    body: bytes
    received_at: datetime
    body_size: int | None = None
    event_id: UUID | None = None


class Buffer:
    """What a process has refused since it last stored that; of bounded size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[CountKey] = Counter()
        self._samples: list[RejectedRequest] = []
        self._minute = 0
        self._kept: Counter[tuple[UUID, str]] = Counter()

    def count(self, endpoint_id: UUID, cause: str, *, allowance: int) -> bool:
        """Count a refusal; return whether it is one of those to keep."""
        now = int(time.time())
        with self._lock:
            self._counts[CountKey(endpoint_id, cause, now - now % 3600)] += 1
            if self._minute != now // 60:
                self._minute = now // 60
                self._kept.clear()
            kind = (endpoint_id, cause)
            is_kept = self._kept[kind] < allowance and not self._is_full()
            self._kept[kind] += is_kept
            return is_kept

    def keep(self, sample: RejectedRequest) -> None:
        with self._lock:
            if not self._is_full():
                self._samples.append(sample)

    def take(self) -> tuple[dict[CountKey, int], list[RejectedRequest]]:
        """Return all that is gathered, and begin anew."""
        with self._lock:
            taken = dict(self._counts), self._samples
            self._counts, self._samples = Counter(), []
            return taken

    def put_back(self, counts: dict[CountKey, int]) -> None:
        with self._lock:
            self._counts.update(counts)

    def _is_full(self) -> bool:
        return len(self._samples) >= MOST_SAMPLES
