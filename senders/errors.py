"""The errors that a request of a sender, or code that reads it, can raise."""

from __future__ import annotations

from enum import StrEnum

from common.errors import InvalidInput, ServiceUnavailable, TickhookError


class MalformedBody(TickhookError):
    """The body does not match its content type."""

    code = "malformed_body"
    http_status = 400


class CostlyBody(MalformedBody):
    """The JSON is nested too deeply or has too many values."""


class UnknownEncoding(MalformedBody):
    """The only supported Content-Encoding is gzip."""

    code = "unknown_content_encoding"
    http_status = 415


class BodyExpandsTooFar(MalformedBody):
    """The compressed body expands to more than 25 MB, or more than a hundredfold."""

    code = "body_too_large"
    http_status = 413


class FailureReason(StrEnum):
    """Why a signature could not be verified."""

    NO_SECRET = "no_secret"  # noqa: S105 - a reason, not a password
    MISSING_HEADER = "missing_header"
    MALFORMED_HEADER = "malformed_header"
    MISSING_FIELD = "missing_field"
    MALFORMED_BODY = "malformed_body"
    TIMESTAMP_OUTSIDE_TOLERANCE = "timestamp_outside_tolerance"
    CERTIFICATE_REFUSED = "certificate_refused"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    KEYS_UNKNOWN = "keys_unknown"
    NO_MATCH = "no_match"


class InvalidSignature(TickhookError):
    """The signature could not be verified."""

    code = "invalid_signature"
    http_status = 401

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class NoSecretSet(InvalidSignature):
    """No valid secret is set for this endpoint."""

    def __init__(self) -> None:
        detail = "No valid secret is set for this endpoint."
        super().__init__(FailureReason.NO_SECRET, detail)


class CertificateUnknown(InvalidSignature):
    """The certificate that signed has not been fetched yet; try again later.

    The scheme allows its URL. Nothing else of the request is verified.
    """

    code = "certificate_unknown"
    http_status = 503

    def __init__(self, url: str) -> None:
        detail = "The signing certificate has not been fetched yet; try again later."
        super().__init__(FailureReason.CERTIFICATE_UNKNOWN, detail)
        self.url = url


class KeysUnknown(InvalidSignature):
    """The sender's public keys have not been fetched yet; try again later.

    `url` is the one of the scheme. Nothing else of the request is verified.
    """

    code = "keys_unknown"
    http_status = 503

    def __init__(self, url: str) -> None:
        detail = "The sender's keys have not been fetched yet; try again later."
        super().__init__(FailureReason.KEYS_UNKNOWN, detail)
        self.url = url


class SandboxRefused(InvalidInput):
    """The code failed, exceeded its limits or returned an invalid value.

    The text may be shown to anyone: it quotes no value that the code saw.
    """

    code = "code_refused"


class SandboxTimedOut(SandboxRefused):
    """The code ran longer than its time limit."""

    code = "code_timed_out"


class SandboxUnavailable(ServiceUnavailable):
    """No interpreter is free to run the code; try again."""

    code = "sandbox_unavailable"
