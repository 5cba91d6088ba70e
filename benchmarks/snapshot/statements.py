"""The cost of statements, from pg_stat_statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import connection

# Patterns of statements. The first of a group runs once per call.
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "claim": ("pg_current_snapshot.*executions_drainlease",),
        "suspects": ("FROM events_inbox WHERE deaths > .*LIMIT",),
        "dead workers": (
            "UPDATE agents_agenttask.*attempt \\+ .*claimed_by = NULL",
            "SELECT.*agents_agenttask.*claimed_by.*attempt >=",
        ),
        "time-outs": ("SELECT.*FROM agents_agenttask.*deadline_at <=",),
        "clock: wait": ("first.due - look.at",),
        "clock: find": ("WITH longest",),
        "submit_due_tasks": (
            "agents_agenttask.*ORDER BY next_attempt_at.*UPDATE",
            "SELECT next_attempt_at.*FROM agents_agenttask.*ORDER BY next_attempt_at",
        ),
        "record": ('INSERT INTO "events_event".*VALUES',),
    }
)

_READ = """
SELECT coalesce(max(calls), 0), coalesce(sum(total_exec_time), 0),
    coalesce(sum(shared_blks_hit + shared_blks_read), 0)
FROM pg_stat_statements WHERE query ~ ANY(%s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one call, or zero without calls."""

    calls: int
    ms: float
    buffers: float


def start_counting() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        cursor.execute("SELECT pg_stat_statements_reset()")


def read_costs() -> dict[str, Cost]:
    """Return the cost per call of each group since `start_counting`."""
    costs = {}
    with connection.cursor() as cursor:
        for name, words in GROUPS.items():
            cursor.execute(_READ, [[f"(?s){word}" for word in words]])
            calls, ms, buffers = cursor.fetchone()
            count = max(1, calls)
            costs[name] = Cost(
                calls=calls, ms=float(ms) / count, buffers=float(buffers) / count
            )
    return costs
