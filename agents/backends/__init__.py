from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from agents.models import Agent, AgentTask
from agents.services.hints import Hint
from common.errors import Fault, TickhookError
from common.registry import Registry


class SubmissionFailed(TickhookError):
    """The backend of the agent did not accept the task."""

    code = "submission_failed"
    http_status = 503

    def __init__(self, detail: str | None = None, *, retryable: bool) -> None:
        super().__init__(detail)
        self.is_retryable = retryable


class AgentBackend(ABC):
    """Submits tasks to agents of one kind. Stateless: each call uses a new instance."""

    @abstractmethod
    def check_config(self, config: Mapping[str, object]) -> list[Fault]:
        """Return the faults of an agent's config, with pointers into it."""

    @abstractmethod
    def submit(self, tasks: Sequence[AgentTask]) -> None:
        """Submit tasks; raise SubmissionFailed if the agent did not accept them.

        A task may be submitted again; its idempotency key is then the same.
        """

    def queue_of(self, agent: Agent) -> str | None:
        """Return the name of the queue in which an agent's tasks wait for a worker.

        Return None, the default, if the backend has no queue that can lose tasks.
        """
        return None

    def find_hinted(self, agents: Iterable[Agent]) -> set[UUID]:
        """Return which agents have hints in their queue instead of tasks."""
        return set()

    def publish_hints(
        self, agents: Mapping[UUID, Agent], hints: Collection[Hint]
    ) -> bool:
        """Publish hints of agents, given by id; return False if that is impossible."""
        return False

    def count_messages(self, queues: Collection[str]) -> dict[str, int]:
        """Return how many messages a queue contains, without those that workers hold.

        A queue that cannot be read is absent. Never raises.
        """
        return {}


backends: Registry[type[AgentBackend]] = Registry("agent backend")


class UnknownBackend(TickhookError):
    """There is no agent backend of this name."""

    code = "unknown_backend"
    http_status = 400


def get_backend(name: str) -> AgentBackend:
    backend = backends.get(name)
    if backend is None:
        known = ", ".join(backends.names())
        raise UnknownBackend(f"There is no agent backend '{name}'; known: {known}")
    return backend()
