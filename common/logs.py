from __future__ import annotations

import logging
import re

_WEBHOOK_PATH = re.compile(r"(/webhooks/.{8})[^\s?]*")


class HideWebhookPaths(logging.Filter):
    """Cut the paths of webhooks short: who knows one may need nothing more to send."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "/webhooks/" in message:
            record.msg, record.args = _WEBHOOK_PATH.sub(r"\1…", message), ()
        return True
