from __future__ import annotations

from enum import StrEnum

from common.errors import Conflict, InvalidInput, TickhookError


class Cause(StrEnum):
    NO_SECRET = "no_secret"  # noqa: S105 - a cause, not a password
    MISSING_HEADER = "missing_header"
    MALFORMED_HEADER = "malformed_header"
    MISSING_FIELD = "missing_field"
    MALFORMED_BODY = "malformed_body"
    TIMESTAMP_OUTSIDE_TOLERANCE = "timestamp_outside_tolerance"
    CERTIFICATE_REFUSED = "certificate_refused"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    NO_MATCH = "no_match"


class InvalidSignature(TickhookError):
    """The signature could not be verified."""

    code = "invalid_signature"
    http_status = 401

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class CertificateUnknown(InvalidSignature):
    """The certificate that signed has not been fetched yet; try again later.

    Its URL is one that the scheme allows. Nothing else of the request is proven.
    """

    code = "certificate_unknown"
    http_status = 503

    def __init__(self, url: str) -> None:
        detail = "The certificate is not known yet; try again later."
        super().__init__(Cause.CERTIFICATE_UNKNOWN, detail)
        self.url = url


class OnlyTheSenderSigns(Conflict):
    """Only the sender can sign this: it alone has the private key."""

    code = "only_the_sender_signs"


class SecretComesFromSender(InvalidInput):
    """The sender makes this key: copy it from the sender's settings."""

    code = "secret_comes_from_sender"
