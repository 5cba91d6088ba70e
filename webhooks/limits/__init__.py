"""How many requests are let in: sliding windows that all processes share."""

from __future__ import annotations

from webhooks.limits.leases import Leases
from webhooks.limits.memory import Memory
from webhooks.limits.windows import Use, Verdict, Window

__all__ = ["Leases", "Memory", "Use", "Verdict", "Window"]
