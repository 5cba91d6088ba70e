"""Pages never show a raw enum: each choice has its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from agents import wording as agents
from agents.models import AgentKind, TaskStatus
from common.wording import Status, bytes_text, duration_text
from events import wording as events
from events.models import EventSource
from executions import wording as executions
from executions.models import ExecutionStatus, Reason
from executions.services.ledger_entries import OccurrenceStatus
from triggers import models as trigger_models
from triggers import wording as triggers
from webhooks import wording as webhooks
from webhooks.endpoints.secrets import Which
from webhooks.models import DeliveryOutcome, PendingFetchKind, PendingFetchStatus
from webhooks.rejections.fixes import FIXES

Words = Mapping[str, Status] | Mapping[str, str]


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (agents.AGENT_KINDS, AgentKind),
        (agents.TASK_STATUSES, TaskStatus),
        (events.EVENT_SOURCES, EventSource),
        (executions.EXECUTION_STATUSES, ExecutionStatus),
        (executions.REASONS, Reason),
        (executions.OCCURRENCE_STATUSES, OccurrenceStatus),
        (triggers.STATES, triggers.State),
        (triggers.TRIGGER_TYPES, trigger_models.TriggerType),
        (triggers.SCHEDULE_TYPES, trigger_models.ScheduleType),
        (triggers.CONDITION_ERROR_POLICIES, trigger_models.ConditionErrorPolicy),
        (triggers.DST_GAPS, trigger_models.DstGap),
        (triggers.DST_OVERLAPS, trigger_models.DstOverlap),
        (triggers.CATCHUPS, trigger_models.Catchup),
        (triggers.OVERLAPS, trigger_models.Overlap),
        (triggers.OWNER_REASONS, trigger_models.OwnerReason),
        (webhooks.DELIVERY_OUTCOMES, DeliveryOutcome),
        (webhooks.SECRETS, Which),
        (webhooks.FETCH_KINDS, PendingFetchKind),
        (webhooks.FETCH_STATUSES, PendingFetchStatus),
        (webhooks.CAUSES, FIXES),
    ],
)
def test_every_choice_has_its_words(words: Words, choices: Iterable[str]) -> None:
    assert {str(choice) for choice in choices} - set(words) == set()


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (6, "6 ms"),
        (999.7, "1 s"),
        (1200, "1.2 s"),
        (5000, "5 s"),
        (59_990, "1 min"),
        (250_000, "4 min 10 s"),
        (11_100_000, "3 h 5 min"),
        (187_200_000, "2 d 4 h"),
    ],
)
def test_a_duration_has_its_words(milliseconds: float, text: str) -> None:
    assert duration_text(milliseconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(1, "1 byte"), (512, "512 bytes"), (1126, "1.1 KB"), (3_565_158, "3.4 MB")],
)
def test_a_size_has_its_words(size: int, text: str) -> None:
    assert bytes_text(size) == text
