from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from uuid import UUID

from agents.backends import AgentBackend, SubmissionFailed, backends
from agents.models import AgentTask
from common.errors import Fault


@backends.register("memory")
class MemoryBackend(AgentBackend):
    """Stores the ids of submitted tasks. `fail_next` submissions are refused first."""

    submitted: ClassVar[list[UUID]] = []
    fail_next: ClassVar[int] = 0

    def check_config(self, config: Mapping[str, object]) -> list[Fault]:
        return [Fault(f"/{key}", f"Unknown key '{key}'") for key in sorted(config)]

    def submit(self, tasks: Sequence[AgentTask]) -> None:
        if MemoryBackend.fail_next:
            MemoryBackend.fail_next -= 1
            raise SubmissionFailed("Refused by the test", retryable=True)
        self.submitted.extend(task.id for task in tasks)
