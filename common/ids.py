from __future__ import annotations

import hashlib
import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a new UUID version 7 (RFC 9562) that sorts after the process's last one.

    The 12 bits after the milliseconds are fractions of a millisecond (RFC 9562, method
    3). If the clock has not advanced, the last id is incremented.
    """
    global _last
    now = time.time_ns() * 4096 // 1_000_000
    with _lock:
        _last = now = max(now, _last + 1)
    value = (now >> 12) << 80 | 7 << 76 | (now & 0xFFF) << 64
    return UUID(int=value | 2 << 62 | int.from_bytes(os.urandom(8)) >> 2)


def first_id_at(moment: datetime) -> UUID:
    """Return the lowest UUID version 7 of a time, to select rows by their age."""
    milliseconds = round(moment.timestamp() * 1000)
    return UUID(int=max(0, milliseconds) << 80)


def moment_of(id_: UUID) -> datetime:
    """Return when a UUID version 7 was made, in milliseconds."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)


def derived_uuid7(of: UUID, *, by: UUID) -> UUID:
    """Return the UUID version 7 of a pair: always the same one, with the time of `of`.

    The 48 bits of time are those of `of`; the 74 random bits are the first bits of
    SHA-256(`by` ‖ `of`). So a table of such ids needs no unique index on the pair, and
    can be partitioned by the same time as the table of `of`.
    """
    digest = hashlib.sha256(by.bytes + of.bytes).digest()
    seed = int.from_bytes(digest[:10]) >> 6
    high, low = seed >> 62, seed & (1 << 62) - 1
    return UUID(int=(of.int >> 80) << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
