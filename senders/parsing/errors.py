from __future__ import annotations

from common.errors import TickhookError


class MalformedBody(TickhookError):
    """The body is not what its content type says."""

    code = "malformed_body"
    http_status = 400


class UnknownEncoding(MalformedBody):
    """Bodies are taken as they are or with Content-Encoding: gzip."""

    code = "unknown_content_encoding"
    http_status = 415


class BodyExpandsTooFar(MalformedBody):
    """The compressed body expands to more than 25 MB, or more than a hundredfold."""

    code = "body_too_large"
    http_status = 413
