"""What pages call the kinds of agents and the statuses of their tasks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agents.models import AgentKind, TaskStatus
from common import wording
from common.wording import Status

AGENT_KINDS: Mapping[str, str] = MappingProxyType(
    {AgentKind.AGENT: "agent", AgentKind.WORKFLOW: "workflow"}
)

TASK_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        TaskStatus.PENDING: wording.WAITING,
        TaskStatus.SUBMITTED: wording.WAITING,
        TaskStatus.RUNNING: wording.GOING,
        TaskStatus.SUCCEEDED: wording.SUCCEEDED,
        TaskStatus.FAILED: wording.FAILED,
        TaskStatus.TIMEOUT: wording.TIMED_OUT,
        TaskStatus.CANCELLED: wording.CANCELLED,
    }
)
