from __future__ import annotations

from common.errors import TickhookError


class MalformedBody(TickhookError):
    """The body is not what its content type says."""

    code = "malformed_body"
    http_status = 400
