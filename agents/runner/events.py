"""Celery's events of agent tasks, which Flower shows: those of tasks, not of messages.

The events of a chunk are sent together. They are for people, so an event that the
broker does not accept is dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any

from celery import current_app
from celery.signals import worker_init

from agents.models import AgentTask, TaskStatus
from agents.services.chunks import EndedTask

logger = logging.getLogger(__name__)

_is_enabled = False


@worker_init.connect
def _note_option(sender: Any, **_: object) -> None:
    """Note, before the processes are forked, whether the worker has the option -E."""
    global _is_enabled
    _is_enabled = bool(sender.task_events)


class TaskEvents:
    """The events of the tasks that a process of one worker runs by one Celery task."""

    def __init__(self, *, name: str, worker: str) -> None:
        self._name = name
        self._worker = worker
        self._lock = threading.Lock()
        self._unsent: list[tuple[str, dict[str, Any]]] = []

    def receive(self, tasks: Iterable[AgentTask]) -> None:
        for task in tasks:
            # What Flower shows. The title names the trigger; parameters may be secret.
            shown = repr((str(task.id), task.agent.name, task.title))
            self._add("task-received", task, name=self._name, args=shown, kwargs="{}")

    def start(self, task: AgentTask) -> None:
        self._add("task-started", task)

    def end(self, ended: EndedTask) -> None:
        """Add the event of a task's end, without what its code returned or said."""
        if ended.status == TaskStatus.SUCCEEDED:
            seconds = ended.seconds
            self._add("task-succeeded", ended.task, result="", runtime=seconds)
        elif ended.status == TaskStatus.CANCELLED:
            signs: dict[str, Any] = {"terminated": False, "signum": None}
            self._add("task-revoked", ended.task, expired=False, **signs)
        else:
            kind = ended.error.partition(":")[0]
            self._add("task-failed", ended.task, exception=kind, traceback="")

    def flush(self) -> None:
        """Send the events that were added since the last call, or drop them."""
        with self._lock:
            events, self._unsent = self._unsent, []
        if not events:
            return
        try:
            with current_app.producer_or_acquire() as producer:
                self._send(events, producer)
        except Exception as error:  # noqa: BLE001 - the clients' errors have no base
            logger.warning("%d events are lost: %s", len(events), type(error).__name__)

    def _add(self, kind: str, task: AgentTask, **fields: Any) -> None:
        if _is_enabled:
            event = {"uuid": str(task.id), "timestamp": time.time(), **fields}
            with self._lock:
                self._unsent.append((kind, event))

    def _send(self, events: list[tuple[str, dict[str, Any]]], producer: Any) -> None:
        try:
            # By default, a channel waits 12 seconds for a broker that is down.
            producer.connection.ensure_connection(max_retries=1, interval_start=0)
            dispatcher = current_app.events.Dispatcher(
                producer.connection,
                hostname=self._worker,
                channel=producer.channel,
                buffer_while_offline=False,
                buffer_group={"task"},
                buffer_limit=len(events) + 1,
            )
            for kind, fields in events:
                dispatcher.send(kind, **fields)
            dispatcher.flush()
        except Exception:
            # Nothing else repairs a pooled connection that published without retries.
            producer.connection.collapse()
            raise
