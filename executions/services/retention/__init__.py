"""Deletes history by age: an event goes together with all that came of it."""

from __future__ import annotations

from executions.services.retention.purge import Purge, Tally, purge_history
from executions.services.retention.state import history_horizon

__all__ = ["Purge", "Tally", "history_horizon", "purge_history"]
