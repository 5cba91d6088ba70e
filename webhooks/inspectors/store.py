"""Stores in Redis what test-mode URLs receive, for an hour.

At most 20 URLs exist at a time, each with at most 100 requests and 5 MB in total.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import redis
from django.conf import settings
from django.utils import timezone

from common.errors import NotFound, RateLimited, ServiceUnavailable
from common.fields import dump_json
from common.redis import ask_redis

LIFETIME_SECONDS = 3600
MAX_INSPECTORS = 20
MAX_REQUESTS = 100
MAX_BYTES = 5 * 1024 * 1024
ALL_KEY = "inspectors"

T = TypeVar("T")
_UNAVAILABLE: Final = object()

# The hash and the list of an inspector expire together. Its length and the sum of bytes
# are checked before a request is added.
_STORE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[2]) then return 0 end
local held = tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0) + #ARGV[1]
if held > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'bytes', held)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]) + 1)
return 1
"""

# Expired inspectors are removed first; the score is the time at which one expires.
_OPEN = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[2], 'about', ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 1
"""

_DELETE = """
local received = redis.call('LLEN', KEYS[3])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return received
"""


class InspectorNotFound(NotFound):
    """There is no such test-mode URL; such a URL expires after an hour."""

    code = "inspector_not_found"


class InspectorFull(RateLimited):
    """This test-mode URL is full; open another one."""

    code = "inspector_full"

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=LIFETIME_SECONDS)


class TooManyInspectors(RateLimited):
    """The maximum number of test-mode URLs is open; wait until one expires."""

    code = "too_many_inspectors"

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=60)


class InspectorsUnavailable(ServiceUnavailable):
    """Redis, which stores the requests, cannot be reached; try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """A test-mode URL; with a type or endpoint it also checks each request."""

    token: str
    expires_at: datetime
    type_slug: str = ""
    endpoint_id: UUID | None = None

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}/webhook-tests/{self.token}"


def open_inspector(
    *, type_slug: str = "", endpoint_id: UUID | None = None
) -> Inspector:
    """Open a URL that cannot be guessed; raise TooManyInspectors."""
    now = timezone.now()
    inspector = Inspector(
        token=secrets.token_urlsafe(24),
        expires_at=now + timedelta(seconds=LIFETIME_SECONDS),
        type_slug=type_slug,
        endpoint_id=endpoint_id,
    )
    about = {**asdict(inspector), "endpoint_id": str(endpoint_id or "")}
    about["expires_at"] = inspector.expires_at.timestamp()
    is_open = _ask(
        lambda r: r.eval(
            _OPEN, 2, ALL_KEY, _hash_key(inspector.token),
            str(now.timestamp()), str(MAX_INSPECTORS), str(about["expires_at"]),
            inspector.token, dump_json(about), str(LIFETIME_SECONDS),
        )
    )  # fmt: skip
    if not is_open:
        raise TooManyInspectors
    return inspector


def find_inspector(token: str) -> Inspector:
    """Return the inspector of a token, also a full one; raise InspectorNotFound."""
    stored = _ask(lambda r: r.hget(_hash_key(token), "about"))
    if stored is None:
        raise InspectorNotFound
    about = json.loads(stored)
    return Inspector(
        token=about["token"],
        expires_at=datetime.fromtimestamp(about["expires_at"], UTC),
        type_slug=about["type_slug"],
        endpoint_id=UUID(about["endpoint_id"]) if about["endpoint_id"] else None,
    )


def require_space(token: str) -> None:
    """Raise InspectorFull; this check is cheap, so it is made before the others."""
    if _ask(lambda r: r.llen(_list_key(token))) >= MAX_REQUESTS:
        raise InspectorFull


def store_request(token: str, described: dict[str, Any]) -> None:
    """Store the description of a request; raise InspectorFull or InspectorNotFound."""
    text = dump_json(described)
    stored = _ask(
        lambda r: r.eval(
            _STORE, 2, _hash_key(token), _list_key(token),
            text, str(MAX_REQUESTS), str(MAX_BYTES),
        )
    )  # fmt: skip
    if stored == -1:
        raise InspectorNotFound
    if stored == 0:
        raise InspectorFull


def list_requests(token: str) -> list[dict[str, Any]]:
    """Return the descriptions of the requests, newest first."""
    texts = _ask(lambda r: r.lrange(_list_key(token), 0, -1))
    return [json.loads(text) for text in reversed(texts)]


def count_received(endpoint_ids: Collection[UUID]) -> int:
    """Return how many requests the test-mode URLs of these endpoints hold."""
    return sum(len(list_requests(one.token)) for one in _of_endpoints(endpoint_ids))


def delete_inspectors(endpoint_ids: Collection[UUID]) -> int:
    """Delete the test-mode URLs of these endpoints; return how many requests went."""
    return sum(_delete(one.token) for one in _of_endpoints(endpoint_ids))


def _delete(token: str) -> int:
    keys = (ALL_KEY, _hash_key(token), _list_key(token))
    return int(_ask(lambda r: r.eval(_DELETE, len(keys), *keys, token)))


def _of_endpoints(endpoint_ids: Collection[UUID]) -> list[Inspector]:
    found = []
    for token in _ask(lambda r: r.zrange(ALL_KEY, 0, -1)):
        with suppress(InspectorNotFound):
            found.append(find_inspector(token.decode()))
    return [one for one in found if one.endpoint_id in endpoint_ids]


def _ask(ask: Callable[[redis.Redis], Any]) -> Any:
    answer = ask_redis(ask, otherwise=_UNAVAILABLE)
    if answer is _UNAVAILABLE:
        raise InspectorsUnavailable
    return answer


def _hash_key(token: str) -> str:
    return f"inspector:{token}"


def _list_key(token: str) -> str:
    return f"inspector:{token}:requests"
