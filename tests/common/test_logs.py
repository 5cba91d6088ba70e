from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.test import Client

from common.logs import CountRefusals, HideWebhookPaths


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("%s: %s", ("Gone", "/webhooks/wht_0123456789"), "Gone: /webhooks/wht_0123…"),
        ("at /webhooks/orders/eu?a=1 now", (), "at /webhooks/orders/e…?a=1 now"),
        ("nothing of %s", ("this",), "nothing of this"),
    ],
)
def test_the_log_shows_no_complete_path_of_a_webhook(
    message: str, args: tuple[object, ...], shown: str
) -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, message, args, None)

    assert HideWebhookPaths().filter(record)
    assert record.getMessage() == shown


LOGGERS = [logging.getLogger(name) for name in ("django.security", "django.request")]


class Console(logging.Handler):
    """Collects the lines that the handler of the settings would write."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = CountRefusals()
        self.addFilter(self.refusals)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    made = Console()
    for logger in LOGGERS:
        monkeypatch.setattr(logger, "propagate", False)
        logger.addHandler(made)
    yield made
    for logger in LOGGERS:
        logger.removeHandler(made)


def test_wrong_hosts_are_one_line_without_a_traceback(console: Console) -> None:
    client = Client(headers={"host": "evil.test" + "x" * 1000})

    statuses = [client.get("/livez").status_code for _ in range(20)]

    assert statuses == [400] * 20
    [record] = console.records
    assert record.getMessage().startswith("Invalid HTTP_HOST header: 'evil.testxxx")
    assert len(record.getMessage()) < 400
    assert record.exc_info is None


def test_the_next_line_counts_the_requests_without_a_line(console: Console) -> None:
    logger = logging.getLogger("django.security.DisallowedHost")
    for _ in range(3):
        logger.error("Invalid")
    console.refusals._kinds[logger.name].silent_until = 0

    logger.error("Invalid")

    assert console.lines == ["Invalid (1 such requests)", "Invalid (3 such requests)"]


def test_responses_of_503_are_counted_and_errors_are_not(console: Console) -> None:
    logger = logging.getLogger("django.request")
    for _ in range(3):
        logger.error("Service Unavailable: %s", "/x", extra={"status_code": 503})
        logger.error("Internal Server Error: %s", "/x", extra={"status_code": 500})

    assert console.lines == [
        "Service Unavailable: /x (1 such requests)",
        *["Internal Server Error: /x"] * 3,
    ]
