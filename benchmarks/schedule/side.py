from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.leftovers import broker, queue_length
from benchmarks.schedule.entries import QUEUE, Due


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Seconds from the instant of an occurrence to its event."""

    p50: float
    p99: float


class Side(ABC):
    """One scheduler class of Celery beat, its entries and how they are seen to fire."""

    name: ClassVar[str]
    scheduler: ClassVar[str]

    @abstractmethod
    def fill(self, count: int) -> None:
        """Have `count` hourly entries and no others; none is due soon."""

    @abstractmethod
    def make_due(self, due: Due) -> None:
        """Change entries behind beat's back; call it while no beat runs."""

    @abstractmethod
    def edit(self, number: int) -> None:
        """Edit one entry by what users edit it with, so that it comes due at once."""

    def fired(self) -> int:
        """Return how often entries have fired since `forget_fired`."""
        return queue_length(QUEUE)

    def forget_fired(self) -> None:
        with broker() as client:
            client.delete(QUEUE)

    def lateness(self) -> Lateness | None:
        """Return how late what fired was; None where nothing tells."""
        return None
