"""Publishes again what the broker has lost of its messages to agents, and no more.

For each queue, the sweep compares the number of messages in the broker with the number
of hints that were published and not begun. If a queue has fewer messages, it has lost
the difference, so the sweep publishes that many of the oldest hints again. If it has as
many, it has lost none, and its tasks wait for a worker, however long that takes. So
messages never outnumber the hints, and a backlog does not feed itself. An agent whose
tasks wait without any hint gets new ones.

Messages that workers hold are not counted: RabbitMQ does not report them, and those of
a killed worker are practically lost. A worker holds no more messages than it has
processes, so at most that many hints are published once too often.

A Celery task that is no `@agent_task` has a message for each task instead of hints, and
the same applies to these. But it takes its message and never claims the task. So after
`MAX_LOST` lost messages the sweep publishes the task no more. It ends as a timeout when
the time limit of its agent has passed since the last publication.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, connection

from agents.backends import AgentBackend, get_backend
from agents.models import Agent, AgentTask, TaskStatus
from agents.services.hints import (
    TakenSlots,
    count_slots,
    free_slots,
    renew_slots,
    take_slots,
    take_slots_again,
)
from agents.services.run import finish_task
from agents.services.scan_floor import ScanFloor, ScanRange
from agents.services.submit import (
    BATCH,
    UNSTARTED_AFTER,
    Parameters,
    claim_and_submit,
)

logger = logging.getLogger(__name__)

# A batch takes less than this from its claim to its last message.
GRACE = timedelta(seconds=15)
# How often a task is published again because its message was lost, in each attempt.
MAX_LOST = 5
# The sweep postpones tasks this long before they come due.
AHEAD = timedelta(seconds=30)

submitted_floor = ScanFloor(delay=UNSTARTED_AFTER)

_COUNT = """
SELECT agent_id, count(*), count(*) FILTER (WHERE lost_messages >= %s),
    min(next_attempt_at)
FROM agents_agenttask
WHERE status = 'submitted' AND next_attempt_at > %s AND next_attempt_at <= %s
GROUP BY agent_id
"""

# If a task is published repeatedly and never starts, the cause is not a lost message.
# After the second publication, the task waits 30 s, 60 s … 10 min.
_LOST = """
WITH chosen AS MATERIALIZED (
    SELECT id, next_attempt_at FROM agents_agenttask
    WHERE status = 'submitted' AND agent_id = ANY(%(agent_ids)s)
    AND next_attempt_at > %(after)s AND next_attempt_at <= %(up_to)s
    AND lost_messages < %(max_lost)s
    AND submitted_at <= statement_timestamp()
        - least(600, 15 * 2 ^ greatest(0, least(publications, 10) - 2))
        * interval '1 second'
    ORDER BY next_attempt_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
"""

_UNCLAIMED = """
SELECT t.id, t.attempt
FROM agents_agenttask t JOIN agents_agent a ON a.id = t.agent_id
WHERE t.status = 'submitted' AND t.agent_id = ANY(%(agent_ids)s)
AND t.next_attempt_at > %(after)s AND t.next_attempt_at <= %(up_to)s
AND t.lost_messages >= %(max_lost)s
AND t.submitted_at <= statement_timestamp()
    - a.task_timeout_seconds * interval '1 second'
ORDER BY t.next_attempt_at LIMIT %(limit)s
"""

# A queue that also holds messages of other programs hides a loss. So a task is not
# postponed forever: it is published again an hour after its first publication, then
# after two more hours, four more … a day.
_POSTPONE = f"""
WITH kept AS MATERIALIZED (
    SELECT id FROM agents_agenttask
    WHERE status = 'submitted' AND agent_id = ANY(%(agent_ids)s)
    AND next_attempt_at > %(after)s
    AND next_attempt_at <= %(up_to)s
    AND (lost_messages >= %(max_lost)s OR submitted_at > statement_timestamp()
        - least(24, 2 ^ least(publications - 1, 5)) * interval '1 hour')
    ORDER BY next_attempt_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE agents_agenttask
SET next_attempt_at = statement_timestamp()
    + interval '{UNSTARTED_AFTER.total_seconds()} seconds'
WHERE id = ANY(ARRAY(SELECT id FROM kept))
"""  # noqa: S608 - our own constant


@dataclass(slots=True, kw_only=True)
class _Queue:
    """The agents whose tasks wait in one queue of a backend, and its messages.

    Each task of `agent_ids` has a message, those of `hinted` have hints.
    """

    backend: AgentBackend
    agents: dict[UUID, Agent] = field(default_factory=dict)
    agent_ids: list[UUID] = field(default_factory=list)
    hinted: list[UUID] = field(default_factory=list)
    messages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unstarted:
    """The tasks of one agent that were submitted a while ago."""

    count: int
    # How many of them are not published again.
    given_up: int
    oldest: datetime


def resubmit_lost_tasks() -> int:
    """Publish again what the broker lost; return how many tasks and hints.

    Does nothing for a broker that does not answer: its tasks come due by themselves.
    """
    scan = submitted_floor.begin(reach=UNSTARTED_AFTER - GRACE)
    accepted = 0
    renew_slots()
    unstarted, slots = _count_unstarted(scan), count_slots(grace=GRACE)
    if unstarted or any(taken.old for taken in slots.values()):
        queues = _count_messages(unstarted.keys() | slots.keys())
        if any(_missing(queue, unstarted, slots) > 0 for queue in queues):
            # What began during the requests to the broker is not missing.
            unstarted, slots = _count_unstarted(scan), count_slots(grace=GRACE)
        for queue in queues:
            missing = _missing(queue, unstarted, slots)
            repeated = _repeat_hints(queue, missing)
            accepted += repeated + _send_first_hints(queue, unstarted, slots)
            accepted += _resubmit(queue, unstarted, scan, missing - repeated)
            _time_out(queue, unstarted, scan, missing - repeated)
        _postpone(queues, unstarted, scan)
    oldest = min((found.oldest for found in unstarted.values()), default=None)
    submitted_floor.end(scan, oldest=oldest)
    return accepted


def _count_unstarted(scan: ScanRange) -> dict[UUID, _Unstarted]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [MAX_LOST, scan.after, scan.up_to])
        return {
            agent_id: _Unstarted(count=count, given_up=given_up, oldest=oldest)
            for agent_id, count, given_up, oldest in cursor.fetchall()
        }


def _count_messages(agent_ids: Collection[UUID]) -> list[_Queue]:
    """Return the queues of these agents, with one request to each backend."""
    queues: dict[tuple[str, str], _Queue] = {}
    for agent in Agent.objects.filter(pk__in=agent_ids).defer("config"):
        try:
            backend = get_backend(agent.backend)
            name = backend.queue_of(agent)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - one agent must not stop the others
            logger.warning(
                "The queue of agent %s cannot be determined: %s",
                agent.id,
                type(error).__name__,
            )
            continue
        if name is not None:
            key = (agent.backend, name)
            queues.setdefault(key, _Queue(backend=backend)).agents[agent.id] = agent
    return _with_messages(queues)


def _with_messages(queues: Mapping[tuple[str, str], _Queue]) -> list[_Queue]:
    """Return the queues whose brokers answer, with what they contain."""
    names: dict[str, list[str]] = defaultdict(list)
    for backend, name in sorted(queues):
        names[backend].append(name)
    answered = []
    for backend, known in names.items():
        counts = get_backend(backend).count_messages(known)
        for name, messages in counts.items():
            queue = queues[backend, name]
            queue.messages = messages
            hinted = queue.backend.find_hinted(queue.agents.values())
            queue.hinted = sorted(hinted)
            queue.agent_ids = sorted(queue.agents.keys() - hinted)
            answered.append(queue)
    return answered


def _missing(
    queue: _Queue,
    unstarted: Mapping[UUID, _Unstarted],
    slots: Mapping[UUID, TakenSlots],
) -> int:
    tasks = sum(unstarted[i].count for i in queue.agent_ids if i in unstarted)
    hints = sum(slots[i].old for i in queue.hinted if i in slots)
    return tasks + hints - queue.messages


def _repeat_hints(queue: _Queue, missing: int) -> int:
    """Publish as many of a queue's oldest hints again as it has lost messages."""
    if missing <= 0 or not queue.hinted:
        return 0
    lost = take_slots_again(queue.hinted, grace=GRACE, limit=missing)
    if not lost or not queue.backend.publish_hints(queue.agents, lost):
        return 0
    logger.info("The broker lost messages: %d hints were published again", len(lost))
    return len(lost)


def _send_first_hints(
    queue: _Queue,
    unstarted: Mapping[UUID, _Unstarted],
    slots: Mapping[UUID, TakenSlots],
) -> int:
    """Send hints for agents whose tasks wait without any, for example because the
    process that had the last one was killed.
    """
    wanted = {
        agent_id: unstarted[agent_id].count
        for agent_id in queue.hinted
        if agent_id in unstarted and agent_id not in slots
    }
    hints = take_slots(wanted) if wanted else []
    if hints and not queue.backend.publish_hints(queue.agents, hints):
        free_slots(hints)
        return 0
    return len(hints)


def _resubmit(
    queue: _Queue,
    unstarted: Mapping[UUID, _Unstarted],
    scan: ScanRange,
    missing: int,
) -> int:
    """Publish as many of a queue's oldest tasks again as it has lost messages."""
    missing -= _given_up(queue, unstarted)
    accepted = 0
    while missing > 0 and queue.agent_ids:
        limit = min(missing, BATCH)
        claimed = claim_and_submit(
            _LOST,
            {
                "agent_ids": queue.agent_ids,
                "after": scan.after,
                "up_to": scan.up_to,
                "limit": limit,
                "max_lost": MAX_LOST,
                "lost": 1,
            },
        )
        accepted += claimed.accepted
        missing -= claimed.count
        if claimed.count < limit or not claimed.accepted:
            break
    if accepted:
        logger.info("The broker lost messages: %d tasks were published again", accepted)
    return accepted


def _given_up(queue: _Queue, unstarted: Mapping[UUID, _Unstarted]) -> int:
    return sum(unstarted[i].given_up for i in queue.agent_ids if i in unstarted)


def _time_out(
    queue: _Queue,
    unstarted: Mapping[UUID, _Unstarted],
    scan: ScanRange,
    missing: int,
) -> None:
    """End tasks whose messages were taken from a queue again and again, unclaimed."""
    missing = min(missing, _given_up(queue, unstarted), BATCH)
    if missing <= 0:
        return
    parameters = {
        "agent_ids": queue.agent_ids,
        "after": scan.after,
        "up_to": scan.up_to,
        "max_lost": MAX_LOST,
        "limit": missing,
    }
    for task in AgentTask.objects.raw(_UNCLAIMED, parameters):
        finish_task(
            task=task,
            status=TaskStatus.TIMEOUT,
            error=(
                f"No worker claimed the task, but its message left the queue "
                f"{MAX_LOST + 1} times. Only a Celery task that is an @agent_task "
                "claims its task (docs/celery-and-flower.md)."
            ),
            was=TaskStatus.SUBMITTED,
        )


def _postpone(
    queues: Collection[_Queue], unstarted: Mapping[UUID, _Unstarted], scan: ScanRange
) -> None:
    """Keep tasks whose messages are still in their queue from coming due."""
    soon = scan.up_to - (UNSTARTED_AFTER - GRACE) + AHEAD
    agent_ids = [
        agent_id
        for queue in queues
        for agent_id in queue.agents
        if agent_id in unstarted and unstarted[agent_id].oldest <= soon
    ]
    parameters: Parameters = {
        "agent_ids": agent_ids,
        "after": scan.after,
        "up_to": soon,
        "limit": BATCH,
        "max_lost": MAX_LOST,
    }
    while agent_ids:
        with connection.cursor() as cursor:
            cursor.execute(_POSTPONE, parameters)
            if cursor.rowcount < BATCH:
                return
