"""Hints: Celery messages that ask a worker process to run an agent's waiting tasks.

An agent has at most eight hints in the broker, however many tasks wait. Each has a slot
in the database from before it is sent until a process begins it. Who submits tasks and
finds no free slot sends nothing: a hint is under way that will find these tasks. This
holds because a process frees the slot of its hint, commits, and only then looks for
tasks, while a sender commits the tasks, and only then looks for a slot.

A hint that begins twice, or without a slot, does no harm. If the broker loses hints,
there are more slots than messages, and the sweep sends hints again.

While a session holds an old snapshot, PostgreSQL cannot remove deleted slots. So that
statements do not read all of them, a slot counts for a minute only, and the sweep
renews those that are still taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

SLOTS = 8
# A worker announces its tasks every minute; the time is stored every hour.
ANNOUNCED_FOR = timedelta(days=7)

# Ten seconds; and how many of them a slot counts. The sweep comes every 30 s or sooner.
_PERIOD = "(extract(epoch FROM statement_timestamp())::bigint / 10)"
_PERIODS = 6

_TAKE = f"""
INSERT INTO agents_hintslot (agent_id, period, slot, sent_at)
SELECT v.agent_id, {_PERIOD}, free.slot, statement_timestamp()
FROM unnest(%s::uuid[], %s::int[]) AS v(agent_id, wanted)
CROSS JOIN LATERAL (
    SELECT n FROM generate_series(1, {SLOTS}) AS n WHERE n NOT IN (
        SELECT h.slot FROM agents_hintslot h
        WHERE h.agent_id = v.agent_id AND h.period > {_PERIOD} - {_PERIODS}
    )
    ORDER BY n LIMIT v.wanted
) AS free(slot)
ORDER BY v.agent_id, free.slot
ON CONFLICT DO NOTHING
RETURNING agent_id, slot
"""  # noqa: S608 - our own constants

_FREE = f"""
DELETE FROM agents_hintslot h USING unnest(%s::uuid[], %s::int[]) AS v(agent_id, slot)
WHERE h.agent_id = v.agent_id AND h.period > {_PERIOD} - {_PERIODS} AND h.slot = v.slot
"""  # noqa: S608 - our own constants

_BEGIN = f"""
WITH begun AS (
    DELETE FROM agents_hintslot
    WHERE agent_id = %s AND period > {_PERIOD} - {_PERIODS} AND slot = %s
)
SELECT statement_timestamp()
"""  # noqa: S608 - our own constants

# If a hint begins at the same moment, its slot stays taken: the sweep notices that.
_RENEW = f"""
WITH old AS (
    DELETE FROM agents_hintslot WHERE period < {_PERIOD} RETURNING *
)
INSERT INTO agents_hintslot (agent_id, period, slot, sent_at)
SELECT agent_id, {_PERIOD}, slot, min(sent_at) FROM old GROUP BY agent_id, slot
ORDER BY agent_id, slot
ON CONFLICT DO NOTHING
"""  # noqa: S608 - our own constants

_COUNT = """
SELECT agent_id, count(*) FILTER (
    WHERE sent_at <= statement_timestamp() - make_interval(secs => %s)
), count(*)
FROM agents_hintslot GROUP BY agent_id
"""

_TAKE_AGAIN = """
WITH lost AS MATERIALIZED (
    SELECT agent_id, period, slot FROM agents_hintslot
    WHERE agent_id = ANY(%s)
    AND sent_at <= statement_timestamp() - make_interval(secs => %s)
    ORDER BY sent_at, agent_id, slot LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE agents_hintslot h SET sent_at = statement_timestamp()
FROM lost WHERE h.agent_id = lost.agent_id AND h.period = lost.period
AND h.slot = lost.slot
RETURNING h.agent_id, h.slot
"""

_ANNOUNCE = """
INSERT INTO agents_hintedtask AS t (queue, name, seen_at)
SELECT queue, name, statement_timestamp()
FROM unnest(%s::text[]) AS queue, unnest(%s::text[]) AS name
ORDER BY queue, name
ON CONFLICT (queue, name) DO UPDATE SET seen_at = excluded.seen_at
WHERE t.seen_at < excluded.seen_at - interval '1 hour'
"""

_WITHDRAW = "DELETE FROM agents_hintedtask WHERE queue = ANY(%s) AND name = ANY(%s)"

_ANNOUNCED = """
SELECT queue, name FROM agents_hintedtask
WHERE seen_at > statement_timestamp() - make_interval(secs => %s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """The content of the Celery message.

    `turn_at` is the first turn among the tasks for which the hint was sent; None means
    that any task of the agent may have been overlooked.
    """

    agent_id: UUID
    slot: int
    turn_at: datetime | None = None

    def as_argument(self) -> dict[str, object]:
        return {
            "agent": str(self.agent_id),
            "slot": self.slot,
            "turn": self.turn_at.isoformat() if self.turn_at else None,
        }


def read_hint(argument: Mapping[str, Any]) -> Hint:
    turn = argument["turn"]
    return Hint(
        agent_id=UUID(argument["agent"]),
        slot=argument["slot"],
        turn_at=datetime.fromisoformat(turn) if turn else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSlots:
    """How many slots of an agent are taken, and how many of them for a while."""

    old: int
    count: int


def take_slots(wanted: Mapping[UUID, int]) -> list[Hint]:
    """Take free slots, at most as many as each agent needs; return their hints.

    The caller publishes each of them, or frees its slot.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [list(wanted), list(wanted.values())])
        return [Hint(agent_id=row[0], slot=row[1]) for row in cursor.fetchall()]


def free_slots(hints: Collection[Hint]) -> None:
    """Free the slots of hints that could not be published."""
    if hints:
        with connection.cursor() as cursor:
            cursor.execute(
                _FREE, [[h.agent_id for h in hints], [h.slot for h in hints]]
            )


def begin_hint(hint: Hint) -> datetime:
    """Free the slot of a hint before its tasks are claimed; return the server's time.

    A claim must follow in a later statement, because it must see all tasks that were
    submitted while the slot was taken.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, [hint.agent_id, hint.slot])
        now: datetime = cursor.fetchone()[0]
    return now


def renew_slots() -> None:
    """Make the slots that are still taken count on."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW)


def count_slots(*, grace: timedelta) -> dict[UUID, TakenSlots]:
    """Return the taken slots of each agent; a slot is old after the grace period."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [grace.total_seconds()])
        return {
            agent_id: TakenSlots(old=old, count=count)
            for agent_id, old, count in cursor.fetchall()
        }


def take_slots_again(
    agent_ids: Collection[UUID], *, grace: timedelta, limit: int
) -> list[Hint]:
    """Return the hints of the oldest taken slots, which are to be published again.

    If several processes call this at once, each slot is returned to one of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_AGAIN, [list(agent_ids), grace.total_seconds(), limit])
        return [Hint(agent_id=row[0], slot=row[1]) for row in cursor.fetchall()]


def announce_tasks(
    queues: Collection[str], *, hinted: Collection[str], others: Collection[str]
) -> None:
    """Record which Celery tasks of these queues' workers read hints, and which do not.

    The process that submits tasks does not import the modules of agents.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ANNOUNCE, [list(queues), list(hinted)])
        cursor.execute(_WITHDRAW, [list(queues), list(others)])


def announced_tasks() -> set[tuple[str, str]]:
    """Return the queue and the name of each Celery task that reads hints."""
    with connection.cursor() as cursor:
        cursor.execute(_ANNOUNCED, [ANNOUNCED_FOR.total_seconds()])
        return set(cursor.fetchall())
