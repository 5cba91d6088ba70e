"""An agent backend without a broker: task ids go to another process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from multiprocessing.queues import Queue
from typing import ClassVar
from uuid import UUID

from agents.backends import AgentBackend, backends
from agents.models import AgentTask
from common.errors import Fault

NAME = "bench"


@backends.register(NAME)
class BenchBackend(AgentBackend):
    queue: ClassVar[Queue[list[UUID]] | None] = None

    def check_config(self, config: Mapping[str, object]) -> list[Fault]:
        return []

    def submit(self, tasks: Sequence[AgentTask]) -> None:
        if self.queue is not None:
            self.queue.put([task.id for task in tasks])
