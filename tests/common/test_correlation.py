from __future__ import annotations

import pytest

from common.correlation import (
    Cause,
    cause_from_metadata,
    current_cause,
    emit_because_of,
)
from common.ids import uuid7

CAUSE = Cause(event_id=uuid7(), depth=2, correlation_id=uuid7())


def test_a_cause_ends_with_its_block() -> None:
    with emit_because_of(CAUSE):
        inside = current_cause()

    assert inside == CAUSE
    assert current_cause() is None


def test_a_cause_ends_with_a_failing_block() -> None:
    with pytest.raises(ZeroDivisionError), emit_because_of(CAUSE):
        raise ZeroDivisionError

    assert current_cause() is None


def test_the_metadata_of_a_task_contain_its_cause() -> None:
    metadata = {
        "event_id": str(CAUSE.event_id),
        "depth": 2,
        "correlation_id": str(CAUSE.correlation_id),
    }

    assert cause_from_metadata(metadata) == CAUSE
    assert cause_from_metadata({}) is None
