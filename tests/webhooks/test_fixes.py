from __future__ import annotations

from collections.abc import Iterator

import pytest

import senders.errors
import webhooks.limits
import webhooks.receiver.checks
import webhooks.receiver.handshakes
import webhooks.receiver.record
import webhooks.receiver.request
from common.errors import TickhookError
from webhooks.rejections.fixes import DEFAULT_FIX, FIXES, how_to_fix

MODULES = (
    webhooks.receiver.checks,
    webhooks.receiver.handshakes,
    webhooks.receiver.record,
    webhooks.receiver.request,
    senders.errors,
    webhooks.limits,
)


def causes() -> Iterator[str]:
    """Return the codes of all errors that the modules of the receiver define."""
    for module in MODULES:
        for item in vars(module).values():
            is_error = isinstance(item, type) and issubclass(item, TickhookError)
            if is_error and item.__module__ == module.__name__ and "code" in vars(item):
                yield item.code


@pytest.mark.parametrize("cause", sorted(set(causes())))
def test_each_cause_has_a_suggested_fix(cause: str) -> None:
    assert cause in FIXES


def test_an_unknown_cause_refers_to_the_detail_and_an_empty_one_needs_no_fix() -> None:
    assert how_to_fix("of a later release") == DEFAULT_FIX
    assert how_to_fix("") == ""
