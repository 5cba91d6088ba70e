"""What overlap policy and hourly limit make of a trigger's next runs, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from executions.models import ExecutionStatus
from executions.pipeline.matching import Pair
from executions.pipeline.outcome import Outcome, Reason
from executions.pipeline.parameters import options_of
from triggers.models import Overlap

# What is taken back or started one day has to fit into a transaction.
MAX_WAITING = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A stored run that is under way or waits: what `cancel_previous` takes back."""

    event_id: UUID
    task_id: UUID


@dataclass(slots=True, kw_only=True)
class Lane:
    """A trigger's runs as a batch finds them, kept up while it admits more.

    `left` is what the hourly limit leaves, null without one; `cancelled` the tasks that
    had to go.
    """

    is_busy: bool = False
    waiting: int = 0
    left: int | None = None
    earlier: list[Earlier] = field(default_factory=list)
    admitted: list[Outcome] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take one that waits though nobody is in its way for one that has started."""
        if self.waiting and not self.is_busy:
            self.is_busy, self.waiting = True, self.waiting - 1

    def admit(self, outcome: Outcome) -> None:
        """Let a run start, wait or end, as if those before it had been stored."""
        if self.left == 0:
            outcome.skip(Reason.RATE_LIMITED)
            return
        _POLICIES[policy_of(outcome.pair)](self, outcome)
        if self.left is not None and outcome.status != ExecutionStatus.SKIPPED:
            self.left -= 1

    def start(self, outcome: Outcome) -> None:
        self.is_busy = True
        self.admitted.append(outcome)

    def start_alone(self, outcome: Outcome) -> None:
        if self.is_busy:
            outcome.skip(Reason.OVERLAP)
        else:
            self.start(outcome)

    def wait_first(self, outcome: Outcome) -> None:
        if self.waiting:
            outcome.skip(Reason.OVERLAP)
        else:
            self.wait(outcome)

    def wait(self, outcome: Outcome) -> None:
        if not self.is_busy:
            self.start(outcome)
            return
        if self.waiting >= MAX_WAITING:
            outcome.skip(Reason.OVERLAP)
            return
        outcome.hold()
        self.waiting += 1
        self.admitted.append(outcome)

    def replace(self, outcome: Outcome) -> None:
        """Start in the place of all that came before; give way to what came later."""
        event_id = outcome.pair.event.id
        if any(run.event_id > event_id for run in self.earlier):
            outcome.cancel()
            return
        self.cancelled += [run.task_id for run in self.earlier]
        for run in self.admitted:
            run.cancel()
        self.earlier, self.admitted, self.waiting = [], [], 0
        self.start(outcome)


_POLICIES: Mapping[str, Callable[[Lane, Outcome], None]] = MappingProxyType(
    {
        Overlap.ALLOW: Lane.start,
        Overlap.SKIP: Lane.start_alone,
        Overlap.BUFFER_ONE: Lane.wait_first,
        Overlap.BUFFER_ALL: Lane.wait,
        Overlap.CANCEL_PREVIOUS: Lane.replace,
    }
)


def policy_of(pair: Pair) -> str:
    """Return what is done about a run still under way: a backfill may say otherwise."""
    policy: str = options_of(pair.event).get("overlap") or pair.trigger.overlap
    return policy
