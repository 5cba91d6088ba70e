from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from triggers.models import Trigger


class TriggerScheduler(ABC):
    """A clock: it says "now", nothing else. Every clock ends in `claim_due`.

    A trigger's row says when it is due, so a clock that loses an entry loses no run,
    and two clocks beside each other fire nothing twice. The first three methods are
    called in the transaction that changes the trigger.
    """

    @abstractmethod
    def schedule_trigger(self, trigger: Trigger) -> None:
        """Enter an active trigger; a second call replaces the first."""

    @abstractmethod
    def unschedule_trigger(self, trigger_id: UUID) -> None:
        """Take a trigger out; one that is unknown is no error."""

    @abstractmethod
    def update_schedule(self, trigger: Trigger) -> None:
        """Take over a changed schedule, or its switching on or off."""

    @abstractmethod
    def get_trigger_status(self, trigger_id: UUID) -> dict[str, object]:
        """Return `{"status": "running", …}` or `{"status": "not_running"}`."""

    def take_over_runs(  # noqa: B027 - most clocks keep no view of their own
        self, trigger_ids: Sequence[UUID]
    ) -> None:
        """Show that these triggers have run, where the clock keeps a view of its own.

        Called by the sweep, in the transaction that adds the runs to their numbers.
        """

    @abstractmethod
    def is_healthy(self) -> bool:
        """Whether the clock ticks."""

    @abstractmethod
    def shutdown(self) -> None:
        """End what the clock started in this process."""


def get_clock() -> TriggerScheduler:
    """Return the clock that TICKHOOK_CLOCK names; it is stateless."""
    return _make(settings.TICKHOOK_CLOCK)


@lru_cache(maxsize=4)
def _make(path: str) -> TriggerScheduler:
    return cast("TriggerScheduler", import_string(path)())
