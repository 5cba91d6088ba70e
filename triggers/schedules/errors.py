from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from common.errors import Fault, InvalidInput


class InvalidSchedule(InvalidInput):
    """The schedule is not valid."""

    code = "invalid_schedule"

    @classmethod
    def from_faults(cls, faults: Sequence[Fault]) -> Self:
        return cls("; ".join(fault.detail for fault in faults), faults=faults)
