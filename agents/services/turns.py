"""In which order the waiting tasks of an agent are taken: the triggers take turns.

A task gets its turn, a time, when it is created: one step after the trigger's last
task, but not before the first turn that waits (start-time fair queueing). So of 1,000
tasks that a trigger creates at once, each is one step later than the one before. The
first task of another trigger gets the turn that is next, and waits for at most one task
of each other trigger, however many of them wait.

A process remembers the last turn of each trigger. The tasks that several processes
create at once for one trigger share its turns.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

STEP = timedelta(milliseconds=1)
INSTANT = timedelta(microseconds=1)
# Without a waiting task, one that is being created may get a turn this long ago.
MARGIN = timedelta(seconds=2)
MAX_REMEMBERED = 50_000
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)

# A look this short reads no dead entries that matter.
SHORT_SECONDS = 0.005
# A look at everything takes at most a hundredth of the time …
REST_FACTOR = 100
# … but comes no later than this.
MAX_REST_SECONDS = 300.0

_FIRST_TURNS = """
SELECT v.agent_id, first.turn_at, statement_timestamp()
FROM unnest(%s::uuid[], %s::timestamptz[]) AS v(agent_id, after)
LEFT JOIN LATERAL (
    SELECT t.turn_at FROM agents_agenttask t
    WHERE t.agent_id = v.agent_id AND lower(t.status) = 'submitted'
    AND t.turn_at > v.after
    ORDER BY t.turn_at, t.id LIMIT 1
) first ON true
"""

# Tasks of a trigger that this process does not know may wait already.
_LAST_TURNS = """
SELECT v.agent_id, v.key, last.turn_at
FROM unnest(%s::uuid[], %s::uuid[]) AS v(agent_id, key)
CROSS JOIN LATERAL (
    SELECT max(t.turn_at) AS turn_at FROM agents_agenttask t
    WHERE t.concurrency_key = v.key AND t.agent_id = v.agent_id
    AND t.status IN ('pending', 'submitted', 'running')
    AND t.next_attempt_at IS NOT NULL
) last WHERE last.turn_at IS NOT NULL
"""

Flow = tuple[UUID, UUID | None]
_last_turns: dict[Flow, datetime] = {}


@dataclass(slots=True)
class _Floor:
    turn_at: datetime
    valid_until: float


class LookFloors:
    """Where looks at agents' waiting tasks start, while looks at everything take long.

    While a session holds an old snapshot, PostgreSQL cannot remove dead index entries,
    and each look would read all of them. But a task can still come to wait below a
    floor, for example after it lost its worker. So there is a floor only after a look
    that took long, for a hundred times as long, and for five minutes at most. A hint
    names the first task for which it was sent, and a floor does not hide that one.
    """

    def __init__(self) -> None:
        self._floors: dict[UUID, _Floor] = {}

    def after(self, agent_id: UUID, *, shown: datetime | None = None) -> datetime:
        """Return the turn after which the next look starts; it includes `shown`."""
        floor = self._floors.get(agent_id)
        if floor is None or time.monotonic() >= floor.valid_until:
            self._floors.pop(agent_id, None)
            return BEFORE_ALL
        return min(floor.turn_at, shown - INSTANT) if shown else floor.turn_at

    def learn(self, agent_id: UUID, *, first: datetime, seconds: float) -> None:
        """Note that a look took so long and found no task before the turn `first`."""
        floor = self._floors.get(agent_id)
        if floor:
            floor.turn_at = max(floor.turn_at, first - INSTANT)
        elif seconds > SHORT_SECONDS:
            rest = min(REST_FACTOR * seconds, MAX_REST_SECONDS)
            self._floors[agent_id] = _Floor(
                turn_at=first - INSTANT, valid_until=time.monotonic() + rest
            )

    def forget(self) -> None:
        """Make the next look at each agent cover everything."""
        self._floors.clear()


first_floors = LookFloors()


def next_turns(flows: Sequence[Flow]) -> list[datetime]:
    """Return the turns of new tasks, given by their agents and concurrency keys."""
    first = _first_turns(sorted({agent_id for agent_id, _ in flows}))
    if len(_last_turns) > MAX_REMEMBERED:
        _last_turns.clear()
    _remember_waiting(set(flows) - _last_turns.keys())
    turns = []
    for flow in flows:
        turn_at = first[flow[0]]
        if last := _last_turns.get(flow):
            turn_at = max(turn_at, last + STEP)
        _last_turns[flow] = turn_at
        turns.append(turn_at)
    return turns


def _first_turns(agent_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return the first turn that waits for each agent; without one, the time."""
    started = time.monotonic()
    with connection.cursor() as cursor:
        after = [first_floors.after(agent_id) for agent_id in agent_ids]
        cursor.execute(_FIRST_TURNS, [list(agent_ids), after])
        rows = cursor.fetchall()
    seconds = time.monotonic() - started
    for agent_id, first, now in rows:
        first_floors.learn(agent_id, first=first or now - MARGIN, seconds=seconds)
    return {agent_id: first or now for agent_id, first, now in rows}


def _remember_waiting(flows: Collection[Flow]) -> None:
    """Learn the last turns of triggers that this process does not remember."""
    known = [flow for flow in flows if flow[1]]
    if not known:
        return
    with connection.cursor() as cursor:
        cursor.execute(_LAST_TURNS, [[f[0] for f in known], [f[1] for f in known]])
        for agent_id, key, turn_at in cursor.fetchall():
            _last_turns[agent_id, key] = turn_at
