"""Publishes again the tasks whose messages the broker has lost, and no others.

The sweep compares, for each queue, the messages that the broker holds with the tasks
that were submitted and not started. A queue that holds fewer messages than tasks has
lost the difference, so that many of the oldest tasks are published again. A queue that
holds as many has lost none: its tasks wait for a worker, however long that takes. Hence
copies never outnumber the open tasks, and a backlog does not feed itself.

Messages that workers hold are not counted, because RabbitMQ does not report them and
those of a killed worker are as good as lost. A worker holds no more messages than it
has processes, so at most that many tasks are published once too often.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, connection

from agents.backends.base import get_backend
from agents.models import Agent
from agents.services.floors import Floor, Look
from agents.services.submit import (
    BATCH,
    UNSTARTED_AFTER,
    Parameters,
    claim_and_submit,
)

logger = logging.getLogger(__name__)

# Longer than a batch takes from its claim to its last message.
GRACE = timedelta(seconds=15)
# Tasks are postponed this long before they come due.
AHEAD = timedelta(seconds=30)

submitted_tasks = Floor(delay=UNSTARTED_AFTER)

_COUNT = """
SELECT agent_id, count(*), min(next_attempt_at) FROM agents_agenttask
WHERE status = 'submitted' AND next_attempt_at > %s AND next_attempt_at <= %s
GROUP BY agent_id
"""

# A task that is published again and again without ever starting has another fault than
# a lost message: after the second publication it waits 30 s, 60 s … 10 min.
_LOST = """
WITH chosen AS MATERIALIZED (
    SELECT id, next_attempt_at FROM agents_agenttask
    WHERE status = 'submitted' AND agent_id = ANY(%(agent_ids)s)
    AND next_attempt_at > %(after)s AND next_attempt_at <= %(up_to)s
    AND submitted_at <= statement_timestamp()
        - least(600, 15 * 2 ^ greatest(0, least(publications, 10) - 2))
        * interval '1 second'
    ORDER BY next_attempt_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
"""

# A broker that also holds other programs' messages hides a loss. So a task is not
# postponed for ever: an hour after its first publication it is published again, then
# after two more hours, four more … a day.
_POSTPONE = f"""
WITH held AS MATERIALIZED (
    SELECT id FROM agents_agenttask
    WHERE status = 'submitted' AND agent_id = ANY(%(agent_ids)s)
    AND next_attempt_at > %(after)s
    AND next_attempt_at <= %(up_to)s
    AND submitted_at > statement_timestamp()
        - least(24, 2 ^ least(publications - 1, 5)) * interval '1 hour'
    ORDER BY next_attempt_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE agents_agenttask
SET next_attempt_at = statement_timestamp()
    + interval '{UNSTARTED_AFTER.total_seconds()} seconds'
WHERE id = ANY(ARRAY(SELECT id FROM held))
"""  # noqa: S608 - our own constant


@dataclass(slots=True, kw_only=True)
class _Queue:
    """The agents whose tasks wait on one queue of a backend."""

    agent_ids: list[UUID] = field(default_factory=list)
    messages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unstarted:
    """The tasks of one agent that were submitted a while ago."""

    count: int
    oldest: datetime


def resubmit_lost() -> int:
    """Publish again the tasks whose messages the broker lost; return how many.

    A broker that cannot be asked changes nothing: its tasks come due by themselves.
    """
    look = submitted_tasks.begin(reach=UNSTARTED_AFTER - GRACE)
    sent = 0
    if unstarted := _count_unstarted(look):
        queues = _ask_brokers(unstarted)
        if any(_missing(queue, unstarted) > 0 for queue in queues):
            # Tasks that were started while the broker was asked are not missing.
            unstarted = _count_unstarted(look)
        sent = sum(_resubmit(queue, unstarted, look) for queue in queues)
        _postpone(queues, unstarted, look)
    oldest = min((found.oldest for found in unstarted.values()), default=None)
    submitted_tasks.end(look, oldest=oldest)
    return sent


def _count_unstarted(look: Look) -> dict[UUID, _Unstarted]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [look.after, look.up_to])
        return {
            agent_id: _Unstarted(count=count, oldest=oldest)
            for agent_id, count, oldest in cursor.fetchall()
        }


def _ask_brokers(agent_ids: Collection[UUID]) -> list[_Queue]:
    """Return the queues of these agents with their messages, one look per backend."""
    queues: dict[str, dict[str, _Queue]] = defaultdict(lambda: defaultdict(_Queue))
    for agent in Agent.objects.filter(pk__in=agent_ids).defer("config"):
        try:
            name = get_backend(agent.backend).queue_of(agent)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - one agent must not stop the others
            logger.warning(
                "The queue of agent %s is unknown: %s", agent.id, type(error).__name__
            )
            continue
        if name is not None:
            queues[agent.backend][name].agent_ids.append(agent.id)
    asked = []
    for backend, by_name in queues.items():
        held = get_backend(backend).count_messages(sorted(by_name))
        for name, messages in held.items():
            by_name[name].messages = messages
            asked.append(by_name[name])
    return asked


def _missing(queue: _Queue, unstarted: Mapping[UUID, _Unstarted]) -> int:
    tasks = sum(unstarted[i].count for i in queue.agent_ids if i in unstarted)
    return tasks - queue.messages


def _resubmit(queue: _Queue, unstarted: Mapping[UUID, _Unstarted], look: Look) -> int:
    """Publish again as many of a queue's oldest tasks as it has lost messages."""
    missing, sent = _missing(queue, unstarted), 0
    while missing > 0:
        limit = min(missing, BATCH)
        claimed = claim_and_submit(
            _LOST,
            {
                "agent_ids": queue.agent_ids,
                "after": look.after,
                "up_to": look.up_to,
                "limit": limit,
            },
        )
        sent += claimed.sent
        missing -= claimed.count
        if claimed.count < limit or not claimed.sent:
            break
    if sent:
        logger.info("The broker lost messages: %d tasks were published again", sent)
    return sent


def _postpone(
    queues: Collection[_Queue], unstarted: Mapping[UUID, _Unstarted], look: Look
) -> None:
    """Keep tasks that their queue still holds from coming due."""
    soon = look.up_to - (UNSTARTED_AFTER - GRACE) + AHEAD
    agent_ids = [
        agent_id
        for queue in queues
        for agent_id in queue.agent_ids
        if agent_id in unstarted and unstarted[agent_id].oldest <= soon
    ]
    parameters: Parameters = {
        "agent_ids": agent_ids,
        "after": look.after,
        "up_to": soon,
        "limit": BATCH,
    }
    while agent_ids:
        with connection.cursor() as cursor:
            cursor.execute(_POSTPONE, parameters)
            if cursor.rowcount < BATCH:
                return
