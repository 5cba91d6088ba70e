from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from threading import Lock

SECONDS_BETWEEN_LINES = 10.0
MAX_REFUSAL_CHARACTERS = 300

_WEBHOOK_PATH = re.compile(r"(/webhooks/.{8})[^\s?]*")


class HideWebhookPaths(logging.Filter):
    """Shorten the paths of webhooks: a path can be all that a sender needs to know."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "/webhooks/" in message:
            record.msg, record.args = _WEBHOOK_PATH.sub(r"\1…", message), ()
        return True


class CountRefusals(logging.Filter):
    """Log the requests that Django rejects as one short line per ten seconds.

    These are requests with a wrong Host, without a CSRF token, or answered with 503.
    Anyone can cause them, so a line or a traceback for each would fill the disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._kinds: dict[str, _Refusals] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        is_503 = getattr(record, "status_code", None) == 503
        # The cause of a 503 is already in the log.
        is_known = record.name == "django.request" and is_503 and not record.exc_info
        if not is_known and not record.name.startswith("django.security"):
            return True
        with self._lock:
            kind = self._kinds.setdefault(record.name, _Refusals())
            kind.count += 1
            now = time.monotonic()
            if now < kind.silent_until:
                return False
            count, kind.count = kind.count, 0
            kind.silent_until = now + SECONDS_BETWEEN_LINES
        text = record.getMessage()[:MAX_REFUSAL_CHARACTERS]
        record.msg, record.args = "%s (%d such requests)", (text, count)
        record.exc_info = record.exc_text = None
        return True


@dataclass(slots=True)
class _Refusals:
    count: int = 0
    silent_until: float = 0.0
