from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of an input: where it is (JSON Pointer, RFC 6901), and what it is."""

    pointer: str
    detail: str


def json_pointer(*tokens: object) -> str:
    """Return the JSON Pointer (RFC 6901) with these tokens."""
    escaped = (str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
    return "".join(f"/{token}" for token in escaped)


def join_faults(
    faults: Sequence[Fault], *, limit: int | None = 5, with_pointers: bool = True
) -> str:
    """Return the first `limit` faults as one line of text; None: all of them."""
    shown = faults[:limit]
    if not with_pointers:
        return "; ".join(fault.detail for fault in shown)
    return "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in shown)


class TickhookError(Exception):
    """Something went wrong in Tickhook."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500

    def __init__(
        self, detail: str | None = None, *, faults: Sequence[Fault] = ()
    ) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.faults = tuple(faults)
        super().__init__(self.detail)


class InvalidInput(TickhookError):
    """The request is not valid."""

    code = "invalid"
    http_status = 400


class Forbidden(TickhookError):
    """You do not have permission to do this."""

    code = "forbidden"
    http_status = 403


class NotFound(TickhookError):
    """Nothing exists under this name."""

    code = "not_found"
    http_status = 404


class Conflict(TickhookError):
    """Another one already has this name or key."""

    code = "conflict"
    http_status = 409


class RateLimited(TickhookError):
    """Too many requests; try again later."""

    code = "rate_limited"
    http_status = 429

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class ServiceUnavailable(TickhookError):
    """The database or the broker is not available; try again later."""

    code = "unavailable"
    http_status = 503


def clean_text(text: str, *, limit: int) -> str:
    """Return `text` cut, and without NULs and lone surrogates, as PostgreSQL needs."""
    stored = text[:limit].replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return stored.encode("utf-8", "replace").decode()
