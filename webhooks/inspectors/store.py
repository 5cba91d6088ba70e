"""Keeps what test-mode URLs receive: in Redis, for an hour, a bounded amount.

At most 20 URLs live at a time, each with at most 100 requests of 5 MB together.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
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

LIVES_SECONDS = 3600
MAX_INSPECTORS = 20
MAX_REQUESTS = 100
MAX_BYTES = 5 * 1024 * 1024
ALL = "inspectors"

T = TypeVar("T")
_DOWN: Final = object()

# An inspector's hash and its list end together; LLEN and the sum are what bounds them.
_KEEP = """
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[2]) then return 0 end
local held = tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0) + #ARGV[1]
if held > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'bytes', held)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]) + 1)
return 1
"""

# Those that have ended are forgotten first; the score is when one ends.
_OPEN = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[2], 'about', ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 1
"""


class InspectorNotFound(NotFound):
    """There is no such test-mode URL; they end after an hour."""

    code = "inspector_not_found"


class InspectorFull(RateLimited):
    """This test-mode URL has received as much as it shows; make another one."""

    code = "inspector_full"

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=LIVES_SECONDS)


class TooManyInspectors(RateLimited):
    """There are as many test-mode URLs as there may be; wait until one ends."""

    code = "too_many_inspectors"

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=60)


class InspectorsUnavailable(ServiceUnavailable):
    """Redis, which holds what is shown, can't be reached; try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """A test-mode URL; with a type or endpoint it also says what the door would."""

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
    """Make a URL that can't be guessed; raise TooManyInspectors."""
    now = timezone.now()
    inspector = Inspector(
        token=secrets.token_urlsafe(24),
        expires_at=now + timedelta(seconds=LIVES_SECONDS),
        type_slug=type_slug,
        endpoint_id=endpoint_id,
    )
    about = {**asdict(inspector), "endpoint_id": str(endpoint_id or "")}
    about["expires_at"] = inspector.expires_at.timestamp()
    is_open = _ask(
        lambda r: r.eval(
            _OPEN, 2, ALL, _key(inspector.token),
            str(now.timestamp()), str(MAX_INSPECTORS), str(about["expires_at"]),
            inspector.token, dump_json(about), str(LIVES_SECONDS),
        )
    )  # fmt: skip
    if not is_open:
        raise TooManyInspectors
    return inspector


def find_inspector(token: str) -> Inspector:
    """Return a live one that can take another request or not; raise its absence."""
    about = _ask(lambda r: r.hget(_key(token), "about"))
    if about is None:
        raise InspectorNotFound
    return _read(json.loads(about))


def refuse_if_full(token: str) -> None:
    """Raise InspectorFull, before more is done for a request than to count it."""
    if _ask(lambda r: r.llen(_list(token))) >= MAX_REQUESTS:
        raise InspectorFull


def keep_request(token: str, shown: dict[str, Any]) -> None:
    """Keep a request to be shown; raise InspectorFull or InspectorNotFound."""
    text = dump_json(shown)
    kept = _ask(
        lambda r: r.eval(
            _KEEP, 2, _key(token), _list(token),
            text, str(MAX_REQUESTS), str(MAX_BYTES),
        )
    )  # fmt: skip
    if kept == -1:
        raise InspectorNotFound
    if kept == 0:
        raise InspectorFull


def shown_requests(token: str) -> list[dict[str, Any]]:
    """Return what came, newest first."""
    texts = _ask(lambda r: r.lrange(_list(token), 0, -1))
    return [json.loads(text) for text in reversed(texts)]


def _ask(ask: Callable[[redis.Redis], Any]) -> Any:
    answer = ask_redis(ask, otherwise=_DOWN)
    if answer is _DOWN:
        raise InspectorsUnavailable
    return answer


def _key(token: str) -> str:
    return f"inspector:{token}"


def _list(token: str) -> str:
    return f"inspector:{token}:requests"


def _read(about: dict[str, Any]) -> Inspector:
    return Inspector(
        token=about["token"],
        expires_at=datetime.fromtimestamp(about["expires_at"], UTC),
        type_slug=about["type_slug"],
        endpoint_id=UUID(about["endpoint_id"]) if about["endpoint_id"] else None,
    )
