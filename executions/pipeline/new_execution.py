from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from agents.services.submit import NewTask
from common.errors import clean_text
from common.ids import derived_uuid7
from events.models import Event
from executions.models import OPEN_STATUSES, ExecutionStatus, Reason
from triggers.models import Trigger


@dataclass(frozen=True, slots=True)
class Pair:
    """A trigger and an event that concerns it. Each pair becomes one execution."""

    event: Event
    trigger: Trigger


@dataclass(slots=True, kw_only=True)
class NewExecution:
    """An execution that is about to be stored.

    Its id is derived from the pair: a pair that is processed again has the same id.
    """

    pair: Pair
    executed_at: datetime
    status: ExecutionStatus
    reason: Reason | None = None
    task: NewTask | None = None
    trace: Mapping[str, object] | None = None
    error_type: str = ""
    error_message: str = ""
    id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.id = derived_uuid7(self.pair.event.id, by=self.pair.trigger.id)

    @property
    def is_final(self) -> bool:
        return self.status not in OPEN_STATUSES

    def skip(self, reason: Reason) -> None:
        self.status, self.reason, self.task = ExecutionStatus.SKIPPED, reason, None

    def fail(self, reason: Reason, *, error_type: str, message: str) -> None:
        self.status, self.reason, self.task = ExecutionStatus.FAILED, reason, None
        self.error_type = clean_text(error_type, limit=100)
        self.error_message = clean_text(message, limit=10_000)

    def hold(self) -> None:
        """Hold the task back until the previous run of the trigger has ended."""
        assert self.task is not None  # noqa: S101 - only runs with a task are admitted
        self.status, self.reason = ExecutionStatus.PENDING, Reason.OVERLAP
        self.task = replace(self.task, is_held=True)

    def cancel(self) -> None:
        """Drop the task, because a later run replaces this one."""
        self.status, self.reason = ExecutionStatus.CANCELLED, Reason.OVERLAP
        self.task = None
