"""Ends a worker that no longer takes messages, so that its supervisor restarts it.

A worker can lose its broker without an error: its connection is open, but no answer
arrives on it. Time-outs end that within seconds; this thread is for other cases.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from celery import signals
from celery.worker.consumer import Consumer
from django.conf import settings
from kombu import Connection

from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

PING_SECONDS = 5.0
REST_SECONDS = 5.0
# Failures in a row before the worker ends: a minute.
MAX_FAILURES = 6


class WorkerWatchdog(BackgroundThread):
    """Pings its own worker through the broker while the worker receives no message.

    It counts a missing answer only if messages wait and its own connection to the
    broker works: a restart helps neither an idle worker nor an unavailable broker.
    """

    def __init__(self, consumer: Consumer) -> None:
        super().__init__(
            self._end_worker_if_stuck, name="watchdog", every_seconds=REST_SECONDS
        )
        self._app = consumer.app
        self._hostname = consumer.hostname
        self._has_received = threading.Event()
        self.failures = 0

    def record_message(self) -> None:
        """Record that the worker received a message, so it is alive."""
        self._has_received.set()

    def check(self) -> None:
        """Count one more failure, or reset the count."""
        if self._has_received.is_set():
            self._has_received.clear()
            self.failures = 0
            return
        try:
            self.failures = self.failures + 1 if self._is_stuck() else 0
        except Exception as error:  # noqa: BLE001 - the clients' errors have no base
            self.failures = 0
            logger.warning("The broker is unavailable: %s", type(error).__name__)

    def _end_worker_if_stuck(self) -> None:
        self.check()
        # A worker that shuts down takes no messages.
        if self.failures >= MAX_FAILURES and not self.is_stopping():
            _end_worker()

    def _is_stuck(self) -> bool:
        """Return whether messages wait and the worker does not answer."""
        # With the time-outs of the settings, whatever the worker itself uses.
        options = dict(settings.CELERY_BROKER_TRANSPORT_OPTIONS)
        with self._app.connection_for_write(transport_options=options) as connection:
            connection.ensure_connection(max_retries=1)
            if not self._count_waiting(connection):
                return False
            control: Any = self._app.control
            mailbox = control.mailbox(connection)
            # The connections of the pool are those that may be dead.
            mailbox.producer_pool = None
            name, seconds = self._hostname, PING_SECONDS
            replies = mailbox.call([name], "ping", {}, timeout=seconds)
            return not replies and not self._has_received.is_set()

    def _count_waiting(self, connection: Connection) -> int:
        """Count the messages in the queues of this worker."""
        waiting = 0
        for name in self._app.amqp.queues.consume_from:
            # A failed declaration closes the channel.
            channel: Any
            with connection.channel() as channel:
                try:
                    waiting += channel.queue_declare(name, passive=True).message_count
                except connection.channel_errors:
                    logger.debug("The queue %s does not exist yet", name)
        return waiting


def _end_worker() -> None:
    logger.critical(
        "The worker received no message and answered no ping for %d s while messages "
        "wait. It ends, so that its supervisor starts it again.",
        MAX_FAILURES * (PING_SECONDS + REST_SECONDS),
    )
    # A stuck main thread ends neither by a signal nor by an exception.
    os._exit(1)


_watchdog: WorkerWatchdog | None = None


@signals.worker_ready.connect
def _watch(sender: Consumer, **_: Any) -> None:
    """Start the watchdog if the main process answers pings while tasks run."""
    global _watchdog
    is_solo = sender.pool.__module__ == "celery.concurrency.solo"
    if sender.app.conf.worker_enable_remote_control and not (is_solo or _watchdog):
        _watchdog = WorkerWatchdog(sender)
        _watchdog.start()


@signals.task_received.connect
def _record_message(**_: Any) -> None:
    if _watchdog:
        _watchdog.record_message()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    if _watchdog:
        _watchdog.stop()
