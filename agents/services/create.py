from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from agents.models import AgentTask
from common.database.sql import insert_rows
from common.ids import uuid7


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task about to be created. `parameters` and `metadata` are JSON text.

    One that is held is not handed over before it is released.
    """

    agent_id: UUID
    idempotency_key: UUID
    task_type: str
    title: str
    parameters: str
    metadata: str
    concurrency_key: UUID | None = None
    is_held: bool = False
    id: UUID = field(default_factory=uuid7)


_NAMES = (
    "id",
    "agent",
    "idempotency_key",
    "concurrency_key",
    "task_type",
    "title",
    "parameters",
    "metadata",
    "status",
    "error",
    "external_id",
    "workflow_id",
    "run_id",
    "attempt",
    "publications",
)


def create_tasks(tasks: Sequence[NewTask]) -> None:
    """Store tasks as `pending`, to be submitted after the commit.

    A second task with the same idempotency key raises IntegrityError: the caller holds
    the execution that the key stands for.
    """
    _insert([t for t in tasks if not t.is_held], next_attempt="statement_timestamp()")
    _insert([t for t in tasks if t.is_held], next_attempt="NULL::timestamptz")


def _insert(tasks: Sequence[NewTask], *, next_attempt: str) -> None:
    insert_rows(
        AgentTask,
        _NAMES,
        [_row(task) for task in tasks],
        created_at="statement_timestamp()",
        next_attempt_at=next_attempt,
    )


def _row(task: NewTask) -> tuple[object, ...]:
    return (
        task.id,
        task.agent_id,
        task.idempotency_key,
        task.concurrency_key,
        task.task_type,
        task.title,
        task.parameters,
        task.metadata,
        "pending",
        *("",) * 4,
        1,
        0,
    )
