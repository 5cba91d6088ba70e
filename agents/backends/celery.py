from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import re2
from amqp.exceptions import ChannelError
from celery import current_app
from django.conf import settings
from kombu import Connection, Producer, Queue
from kombu.exceptions import KombuError

from agents.backends import AgentBackend, SubmissionFailed, backends
from agents.models import Agent, AgentTask
from agents.services.hints import Hint, announced_tasks, free_slots, take_slots
from common.database.errors import drop_connection, error_kind
from common.errors import Fault

logger = logging.getLogger(__name__)

KEYS = {"task", "queue"}
QUEUE = re2.compile(r"[A-Za-z0-9_.-]{1,100}")
OWN_QUEUES = {"clock", "pipeline", "slow"}
DEFAULT_QUEUE = "agents"
# The time that code has to end after its time limit.
KILL_AFTER_SECONDS = 30
# A process that takes a hint works for this long, and at least on one task. Then other
# agents of its queue have their turn.
WORK_SECONDS = 5
# AMQP transports give the code as a number, the others as text.
NOT_FOUND = "404"


@backends.register("celery")
class CeleryBackend(AgentBackend):
    """Your own Celery workers: config `{"task": <name>, "queue": <name>}`.

    The task must be one of TICKHOOK_AGENT_TASKS, and the queue none of those that
    Tickhook uses itself. If its workers have announced that it is an `@agent_task`, the
    argument of its messages is a hint. Otherwise each AgentTask has a message: the
    argument is its id, and the headers contain its idempotency key.
    """

    def check_config(self, config: Mapping[str, object]) -> list[Fault]:
        faults = [
            Fault(f"/{key}", f"Unknown key '{key}'; known: queue, task")
            for key in sorted(set(config) - KEYS)
        ]
        if config.get("task") not in settings.TICKHOOK_AGENT_TASKS:
            allowed = ", ".join(settings.TICKHOOK_AGENT_TASKS)
            faults.append(
                Fault("/task", f"Must be one of TICKHOOK_AGENT_TASKS: {allowed}")
            )
        queue = config.get("queue", DEFAULT_QUEUE)
        if (
            not isinstance(queue, str)
            or not queue.isascii()
            or not QUEUE.fullmatch(queue)
        ):
            detail = "Must be a queue's name: letters, digits, _.-"
            faults.append(Fault("/queue", detail))
        elif queue in OWN_QUEUES:
            detail = f"Must not be '{queue}', which Tickhook uses itself"
            faults.append(Fault("/queue", detail))
        return faults

    def submit(self, tasks: Sequence[AgentTask]) -> None:
        agents = {task.agent_id: task.agent for task in tasks}
        for agent in agents.values():
            # The setting may have changed since the agent was saved.
            if agent.config["task"] not in settings.TICKHOOK_AGENT_TASKS:
                raise SubmissionFailed(
                    "The agent's Celery task is no longer one of TICKHOOK_AGENT_TASKS",
                    retryable=False,
                )
        hinted = self.find_hinted(agents.values())
        single = [task for task in tasks if task.agent_id not in hinted]
        hints = _take_hints([task for task in tasks if task.agent_id in hinted])
        try:
            _publish(agents, single, hints)
        except KombuError as error:
            free_slots(hints)
            raise SubmissionFailed(
                "The broker does not answer", retryable=True
            ) from error

    def queue_of(self, agent: Agent) -> str:
        return str(agent.config.get("queue", DEFAULT_QUEUE))

    def find_hinted(self, agents: Iterable[Agent]) -> set[UUID]:
        announced = announced_tasks()
        return {
            agent.id
            for agent in agents
            if (self.queue_of(agent), agent.config.get("task")) in announced
        }

    def publish_hints(
        self, agents: Mapping[UUID, Agent], hints: Collection[Hint]
    ) -> bool:
        try:
            _publish(agents, [], hints)
        except KombuError:
            logger.warning("%d hints wait: the broker does not answer", len(hints))
            return False
        return True

    def count_messages(self, queues: Collection[str]) -> dict[str, int]:
        # A new connection: a pooled one may be broken since the broker lost its data.
        connection = current_app.connection_for_read()
        errors: tuple[type[BaseException], ...] = (
            KombuError,
            *connection.connection_errors,
            *connection.channel_errors,
        )
        try:
            with connection:
                connection.ensure_connection(max_retries=1, interval_start=0)
                return {queue: _count_messages(connection, queue) for queue in queues}
        except errors as error:
            logger.warning(
                "The broker did not return the lengths of its queues: %s",
                type(error).__name__,
            )
            return {}


def _count_messages(connection: Connection, queue: str) -> int:
    """Return the number of messages in a queue, of all priorities; 0 without one."""
    with connection.channel() as channel:
        try:
            # The stub says str; it is (queue, message_count, consumer_count).
            declared: Any = Queue(queue, channel=channel).queue_declare(passive=True)
            return int(declared.message_count)
        except ChannelError as error:
            if str(error.reply_code) == NOT_FOUND:
                return 0
            raise


def send_hints(agent: Agent, count: int) -> None:
    """Send at most so many hints for an agent; if that fails, the sweep sends some.

    Never raises, because the caller may hold claimed tasks.
    """
    try:
        taken = take_slots({agent.id: count})
        if taken and not CeleryBackend().publish_hints({agent.id: agent}, taken):
            free_slots(taken)
    except Exception as error:  # noqa: BLE001 - whatever it is, a hint can be lost
        drop_connection()
        logger.warning("No hint can be sent: %s", error_kind(error))


def _take_hints(tasks: Sequence[AgentTask]) -> list[Hint]:
    """Return hints for tasks, as far as their agents have free slots."""
    if not tasks:
        return []
    first: dict[UUID, datetime] = {}
    for task in tasks:
        first[task.agent_id] = min(first.get(task.agent_id, task.turn_at), task.turn_at)
    taken = take_slots(Counter(task.agent_id for task in tasks))
    return [replace(hint, turn_at=first[hint.agent_id]) for hint in taken]


def _publish(
    agents: Mapping[UUID, Agent], tasks: Collection[AgentTask], hints: Collection[Hint]
) -> None:
    """Publish a message for each task and each hint; raise KombuError."""
    if not tasks and not hints:
        return
    with current_app.producer_or_acquire() as producer, producer.batch(500):
        for task in tasks:
            _publish_task(task, producer)
        for hint in hints:
            _publish_hint(agents[hint.agent_id], hint, producer)


def _publish_task(task: AgentTask, producer: Producer) -> None:
    config, limit = task.agent.config, task.agent.task_timeout_seconds
    current_app.send_task(
        config["task"],
        args=(str(task.id),),
        queue=config.get("queue", DEFAULT_QUEUE),
        task_id=f"{task.id}:{task.publications}",
        # What Flower shows. The title names the trigger; parameters may be secret.
        argsrepr=repr((str(task.id), task.title)),
        headers={"idempotency_key": str(task.idempotency_key)},
        soft_time_limit=limit,
        time_limit=limit + KILL_AFTER_SECONDS,
        producer=producer,
    )


def _publish_hint(agent: Agent, hint: Hint, producer: Producer) -> None:
    # The worker process ends a task that takes too long. These limits are for a process
    # whose own threads do not run.
    limit = WORK_SECONDS + agent.task_timeout_seconds + 2 * KILL_AFTER_SECONDS
    current_app.send_task(
        agent.config["task"],
        args=(hint.as_argument(),),
        queue=agent.config.get("queue", DEFAULT_QUEUE),
        argsrepr=repr((agent.name,)),
        soft_time_limit=limit,
        time_limit=limit + KILL_AFTER_SECONDS,
        producer=producer,
    )
