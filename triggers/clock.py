"""The interface of clocks, and the clock that the settings name."""

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
    """A clock: it only says that time has passed, by calling `claim_due`.

    The trigger's row stores when it is due. So a clock that loses an entry loses no
    run, and two clocks that run at the same time start nothing twice. The services call
    the first three methods in the transaction that changes the trigger.
    """

    @abstractmethod
    def schedule_trigger(self, trigger: Trigger) -> None:
        """Add an active trigger; a second call replaces the first."""

    @abstractmethod
    def unschedule_trigger(self, trigger_id: UUID) -> None:
        """Remove a trigger; an unknown one is not an error."""

    @abstractmethod
    def update_schedule(self, trigger: Trigger) -> None:
        """Apply a changed schedule, or that the trigger was enabled or disabled."""

    @abstractmethod
    def get_trigger_status(self, trigger_id: UUID) -> dict[str, object]:
        """Return `{"status": "running", …}` or `{"status": "not_running"}`."""

    def take_over_runs(  # noqa: B027 - most clocks show no runs
        self, trigger_ids: Sequence[UUID]
    ) -> None:
        """Copy the runs of these triggers to the place where the clock shows them.

        The sweep calls this in the transaction that counts the runs.
        """

    @abstractmethod
    def is_healthy(self) -> bool:
        """Return whether the clock ticks."""

    @abstractmethod
    def shutdown(self) -> None:
        """Stop all that the clock started in this process."""


def get_clock() -> TriggerScheduler:
    """Return the clock that TICKHOOK_CLOCK names; it is stateless."""
    return _load_clock(settings.TICKHOOK_CLOCK)


@lru_cache(maxsize=4)
def _load_clock(path: str) -> TriggerScheduler:
    return cast("TriggerScheduler", import_string(path)())
