from __future__ import annotations

import logging

import pytest

from common.logs import HideWebhookPaths


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("%s: %s", ("Gone", "/webhooks/wht_0123456789"), "Gone: /webhooks/wht_0123…"),
        ("at /webhooks/orders/eu?a=1 now", (), "at /webhooks/orders/e…?a=1 now"),
        ("nothing of %s", ("this",), "nothing of this"),
    ],
)
def test_a_log_shows_no_whole_path_of_a_webhook(
    message: str, args: tuple[object, ...], shown: str
) -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, message, args, None)

    assert HideWebhookPaths().filter(record)
    assert record.getMessage() == shown
