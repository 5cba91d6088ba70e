from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from common.errors import ServiceUnavailable

_FIND = """
SELECT k.dedupe_key, k.event_id, e.type, e.body, e.body_size
FROM events_eventkey k LEFT JOIN events_event e ON e.id = k.event_id
WHERE k.dedupe_key = ANY(%s)
"""


class KeyExpired(ServiceUnavailable):
    """The key of this event expired during the request; send the request again."""

    code = "key_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEvent:
    """The event that a dedupe key stands for, as far as it is still stored.

    `type` and `body_size` are None if the event is deleted. `body` is None if the event
    or its body is deleted: a body shorter than `body_size`.
    """

    event_id: UUID
    type: str | None
    body: bytes | None
    body_size: int | None

    def has_body_like(self, body: bytes) -> bool:
        """Return whether the body is equal, by what is still stored to compare."""
        if self.body is not None:
            return self.body == body
        return self.body_size is None or self.body_size == len(body)


def find_known(keys: Collection[UUID | None]) -> dict[UUID | None, KnownEvent]:
    """Return the event of each dedupe key; raise KeyExpired if a key has none.

    For keys under which `record_events` recorded nothing, so each was known just now.
    """
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [list(keys)])
        rows = cursor.fetchall()
    known = {key: _known(*values) for key, *values in rows}
    if len(known) < len(set(keys)):
        raise KeyExpired
    return known


def _known(
    event_id: UUID, type_: str | None, body: memoryview | None, size: int | None
) -> KnownEvent:
    is_whole = body is not None and len(body) == size
    return KnownEvent(
        event_id=event_id,
        type=type_,
        body=bytes(body) if body is not None and is_whole else None,
        body_size=size,
    )
