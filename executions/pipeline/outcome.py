from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from agents.services.submit import NewTask
from common.ids import derived_uuid7
from executions.models import OPEN_STATUSES, ExecutionStatus
from executions.pipeline.matching import Pair


class Reason(StrEnum):
    """Why an execution is as it is; empty where its task was simply created."""

    INACTIVE = "inactive"
    PAUSED = "paused"
    MISSED = "missed"
    AGENT_INACTIVE = "agent_inactive"
    LOOP = "loop"
    INVALID_DELIVERY = "invalid_delivery"
    CONDITIONS_NOT_MET = "conditions_not_met"
    CONDITION_ERROR = "condition_error"
    OVERLAP = "overlap"
    RATE_LIMITED = "rate_limited"
    ERROR = "error"
    POISON = "poison"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What is to be written for one (trigger, event).

    The execution's id is derived from the pair: a pair that is processed again has the
    same one.
    """

    pair: Pair
    executed_at: datetime
    status: ExecutionStatus
    reason: Reason | None = None
    task: NewTask | None = None
    trace: Mapping[str, object] | None = None
    error_type: str = ""
    error_message: str = ""
    execution_id: UUID = field(init=False)

    def __post_init__(self) -> None:
        pair = self.pair
        self.execution_id = derived_uuid7(pair.event.id, by=pair.trigger.id)

    @property
    def trigger_id(self) -> UUID:
        return self.pair.trigger.id

    @property
    def is_final(self) -> bool:
        return self.status not in OPEN_STATUSES

    def skip(self, reason: Reason) -> None:
        """Let nothing be done, for a reason that turned up after judging."""
        self.status, self.reason, self.task = ExecutionStatus.SKIPPED, reason, None

    def hold(self) -> None:
        """Let the task wait until the trigger's run before it has ended."""
        assert self.task is not None  # noqa: S101 - only what has a task is admitted
        self.status, self.reason = ExecutionStatus.PENDING, Reason.OVERLAP
        self.task = replace(self.task, is_held=True)

    def cancel(self) -> None:
        """Let nothing be done, as a later run takes its place."""
        self.status, self.task = ExecutionStatus.CANCELLED, None
        self.reason = Reason.OVERLAP
