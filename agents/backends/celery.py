from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import re2
from amqp.exceptions import ChannelError
from celery import current_app
from django.conf import settings
from kombu import Connection, Producer, Queue
from kombu.exceptions import KombuError

from agents.backends import AgentBackend, SubmissionFailed, backends
from agents.models import Agent, AgentTask
from common.errors import Fault

logger = logging.getLogger(__name__)

KEYS = {"task", "queue"}
QUEUE = re2.compile(r"[A-Za-z0-9_.-]{1,100}")
OWN_QUEUES = {"clock", "pipeline", "slow"}
DEFAULT_QUEUE = "agents"
KILL_AFTER_SECONDS = 30
# AMQP transports give the code as a number, the others as text.
NOT_FOUND = "404"


@backends.register("celery")
class CeleryBackend(AgentBackend):
    """Your own Celery workers: config `{"task": <name>, "queue": <name>}`.

    The argument of the Celery task is the id of the AgentTask; its headers contain the
    idempotency key. The task must be one of TICKHOOK_AGENT_TASKS, and the queue none
    of those that Tickhook uses itself.
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
        for task in tasks:
            # The setting may have changed since the agent was saved.
            if task.agent.config["task"] not in settings.TICKHOOK_AGENT_TASKS:
                raise SubmissionFailed(
                    "The agent's Celery task is no longer one of TICKHOOK_AGENT_TASKS",
                    retryable=False,
                )
        try:
            with current_app.producer_or_acquire() as producer, producer.batch(500):
                for task in tasks:
                    _publish(task, producer)
        except KombuError as error:
            raise SubmissionFailed(
                "The broker does not answer", retryable=True
            ) from error

    def queue_of(self, agent: Agent) -> str:
        return str(agent.config.get("queue", DEFAULT_QUEUE))

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


def _publish(task: AgentTask, producer: Producer) -> None:
    config, limit = task.agent.config, task.agent.task_timeout_seconds
    options: dict[str, Any] = {}
    if settings.TICKHOOK_CELERY_RESULTS:
        options["ignore_result"] = False
    current_app.send_task(
        config["task"],
        args=(str(task.id),),
        queue=config.get("queue", DEFAULT_QUEUE),
        task_id=f"{task.id}:{task.publications}",
        # What Flower shows. The title names the trigger; parameters may be secret.
        argsrepr=repr((str(task.id), task.title)),
        headers={"idempotency_key": str(task.idempotency_key)},
        **options,
        soft_time_limit=limit,
        time_limit=limit + KILL_AFTER_SECONDS,
        producer=producer,
    )
