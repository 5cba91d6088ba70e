from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a new UUID version 7 (RFC 9562): later ones of a process sort later.

    The 12 bits behind the milliseconds hold fractions of a millisecond (RFC 9562,
    method 3); a clock that stands still or steps back is counted on from the last id.
    """
    global _last
    now = time.time_ns() * 4096 // 1_000_000
    with _lock:
        _last = now = max(now, _last + 1)
    value = (now >> 12) << 80 | 7 << 76 | (now & 0xFFF) << 64
    return UUID(int=value | 2 << 62 | int.from_bytes(os.urandom(8)) >> 2)


def first_id_at(moment: datetime) -> UUID:
    """Return the lowest UUID version 7 of a moment: a bound for rows by their age."""
    milliseconds = round(moment.timestamp() * 1000)
    return UUID(int=max(0, milliseconds) << 80)


def moment_of(id_: UUID) -> datetime:
    """Return when a UUID version 7 was made, to the millisecond."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
