"""How many requests are let in: sliding windows that all processes share."""

from __future__ import annotations

from webhooks.limits.memory import Memory
from webhooks.limits.store import ask, redis_outage
from webhooks.limits.windows import OPEN, Use, Verdict, Window

__all__ = ["OPEN", "Memory", "Use", "Verdict", "Window", "ask", "redis_outage"]
