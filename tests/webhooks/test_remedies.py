from __future__ import annotations

from collections.abc import Iterator

import pytest

import senders.errors
import webhooks.limits.requests
import webhooks.receiver.checks
import webhooks.receiver.reception
import webhooks.receiver.record
import webhooks.receiver.request
import webhooks.receiver.validation
from common.errors import TickhookError
from webhooks.rejections.fixes import AS_DETAIL_SAYS, REMEDIES, how_to_fix

MODULES = (
    webhooks.receiver.checks,
    webhooks.receiver.reception,
    webhooks.receiver.record,
    webhooks.receiver.request,
    webhooks.receiver.validation,
    senders.errors,
    webhooks.limits.requests,
)


def refusals() -> Iterator[str]:
    """Return the codes of all errors that the door's own modules define."""
    for module in MODULES:
        for item in vars(module).values():
            is_error = isinstance(item, type) and issubclass(item, TickhookError)
            if is_error and item.__module__ == module.__name__ and "code" in vars(item):
                yield item.code


@pytest.mark.parametrize("cause", sorted(set(refusals())))
def test_each_cause_of_the_door_has_its_remedy(cause: str) -> None:
    assert cause in REMEDIES


def test_an_unknown_cause_points_to_the_detail_and_none_needs_nothing() -> None:
    assert how_to_fix("of a later release") == AS_DETAIL_SAYS
    assert how_to_fix("") == ""
