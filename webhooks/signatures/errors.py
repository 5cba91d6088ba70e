from __future__ import annotations

from enum import StrEnum

from common.errors import TickhookError


class Cause(StrEnum):
    NO_SECRET = "no_secret"  # noqa: S105 - a cause, not a password
    MISSING_HEADER = "missing_header"
    MALFORMED_HEADER = "malformed_header"
    TIMESTAMP_OUTSIDE_TOLERANCE = "timestamp_outside_tolerance"
    NO_MATCH = "no_match"


class InvalidSignature(TickhookError):
    """The signature could not be verified."""

    code = "invalid_signature"
    http_status = 401

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
