from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from agents.services.create import NewTask
from common.ids import uuid7
from executions.models import ExecutionStatus
from executions.pipeline.matching import Pair


class Reason(StrEnum):
    """Why an execution ended as it did; empty where its task was simply created."""

    INACTIVE = "inactive"
    MISSED = "missed"
    AGENT_INACTIVE = "agent_inactive"
    LOOP = "loop"
    CONDITIONS_NOT_MET = "conditions_not_met"
    CONDITION_ERROR = "condition_error"
    RATE_LIMITED = "rate_limited"
    ERROR = "error"
    POISON = "poison"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What is to be written for one (trigger, event)."""

    pair: Pair
    executed_at: datetime
    status: ExecutionStatus
    reason: Reason | None = None
    task: NewTask | None = None
    trace: Mapping[str, object] | None = None
    error_type: str = ""
    error_message: str = ""
    execution_id: UUID = field(default_factory=uuid7)

    @property
    def trigger_id(self) -> UUID:
        return self.pair.trigger.id

    def skip(self, reason: Reason) -> None:
        """Let nothing be done, for a reason that turned up after judging."""
        self.status, self.reason, self.task = ExecutionStatus.SKIPPED, reason, None
