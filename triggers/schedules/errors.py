from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from common.errors import Fault, InvalidInput, join_faults


class InvalidSchedule(InvalidInput):
    """The schedule is not valid."""

    code = "invalid_schedule"

    @classmethod
    def from_faults(cls, faults: Sequence[Fault]) -> Self:
        detail = join_faults(faults, limit=None, with_pointers=False)
        return cls(detail, faults=faults)
