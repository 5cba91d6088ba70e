from __future__ import annotations

from collections.abc import Iterator

import pytest

import webhooks.door.checks
import webhooks.door.reception
import webhooks.door.record
import webhooks.door.request
import webhooks.door.validation
import webhooks.parsing.errors
import webhooks.sandbox.errors
import webhooks.services.limits
from common.errors import TickhookError
from webhooks.services.remedies import AS_DETAIL_SAYS, REMEDIES, how_to_fix
from webhooks.signatures import CertificateUnknown, InvalidSignature

MODULES = (
    webhooks.door.checks,
    webhooks.door.reception,
    webhooks.door.record,
    webhooks.door.request,
    webhooks.door.validation,
    webhooks.parsing.errors,
    webhooks.sandbox.errors,
    webhooks.services.limits,
)


def refusals() -> Iterator[str]:
    """Return the codes of all errors that the door's own modules define."""
    yield from (InvalidSignature.code, CertificateUnknown.code)
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
