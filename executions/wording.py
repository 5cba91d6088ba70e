"""What pages call the statuses and reasons of executions, and occurrences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from common import wording
from common.wording import Status
from executions.models import ExecutionStatus, Reason
from executions.services.ledger_entries import OccurrenceStatus

EXECUTION_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        ExecutionStatus.PENDING: wording.WAITING,
        ExecutionStatus.RUNNING: wording.GOING,
        ExecutionStatus.SUCCESS: wording.SUCCEEDED,
        ExecutionStatus.FAILED: wording.FAILED,
        ExecutionStatus.TIMEOUT: wording.TIMED_OUT,
        ExecutionStatus.SKIPPED: wording.SKIPPED,
        ExecutionStatus.CANCELLED: wording.CANCELLED,
    }
)

REASONS: Mapping[str, str] = MappingProxyType(
    {
        Reason.INACTIVE: "the trigger was off",
        Reason.PAUSED: "the trigger was paused",
        Reason.MISSED: "it was not started in time",
        Reason.AGENT_INACTIVE: "the agent was off",
        Reason.LOOP: "the trigger had caused the event itself",
        Reason.FILTERED: "the webhook's config leaves such events out",
        Reason.INVALID_DELIVERY: "the delivery was not valid",
        Reason.CONDITIONS_NOT_MET: "the conditions were not met",
        Reason.CONDITION_ERROR: "a condition could not be evaluated",
        Reason.OVERLAP: "the run before it was still going",
        Reason.RATE_LIMITED: "the limit per hour was reached",
        Reason.ERROR: "an error",
        Reason.POISON: "the event stopped workers again and again",
        Reason.BY_PERSON: "a person cancelled it",
    }
)

OCCURRENCE_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        OccurrenceStatus.FIRED: Status("ran", "✓", "green"),
        OccurrenceStatus.SKIPPED: wording.SKIPPED,
        OccurrenceStatus.MISSED: wording.MISSED,
        OccurrenceStatus.WAITING: wording.WAITING,
        OccurrenceStatus.UNACCOUNTED: Status("unknown", "?", "red"),
    }
)


def reason_text(reason: str) -> str:
    """Return the words for a reason; one of an older release without underscores."""
    return REASONS.get(reason, reason.replace("_", " "))
