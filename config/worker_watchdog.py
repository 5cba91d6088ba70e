"""Ends a worker that no longer takes messages, so that its supervisor restarts it.

A worker can lose its broker without an error: its connection is open, but no answer
arrives on it. Time-outs end that within seconds. This thread is for what they miss.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from celery import signals
from celery.worker.consumer import Consumer
from kombu import Connection

from common.threads import BackgroundThread
from config.broker import transport_options

logger = logging.getLogger(__name__)

PING_SECONDS = 5.0
REST_SECONDS = 5.0
# So many pings in a row without an answer make up the minute.
MAX_FAILURES = 6


class WorkerWatchdog(BackgroundThread):
    """Pings its own worker through the broker while the worker takes no message.

    It counts only pings over a connection of their own that works, and only while
    messages wait: a restart helps neither an unavailable broker nor an idle worker.
    """

    def __init__(self, consumer: Consumer) -> None:
        super().__init__(
            self._end_worker_if_stuck, name="watchdog", every_seconds=REST_SECONDS
        )
        self._app = consumer.app
        self._hostname = consumer.hostname
        self._has_received = threading.Event()
        self.failures = 0

    def note_message(self) -> None:
        """Note that the worker has taken a message: it is alive."""
        self._has_received.set()

    def check(self) -> None:
        """Count one more failure, or start again from none."""
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
        options = transport_options(self._app.conf.broker_url)
        with self._app.connection_for_write(transport_options=options) as connection:
            connection.ensure_connection(max_retries=1)
            if not self._count_waiting(connection):
                return False
            control: Any = self._app.control
            mailbox = control.mailbox(connection)
            # The pool's connections are those that may be dead.
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
        "The worker took no message and answered no ping for %d s while messages "
        "wait. It ends, so that its supervisor starts it again.",
        MAX_FAILURES * (PING_SECONDS + REST_SECONDS),
    )
    # A stuck main thread would not end by a signal or an exception.
    os._exit(1)


_watchdog: WorkerWatchdog | None = None


@signals.worker_ready.connect
def _watch(sender: Consumer, **_: Any) -> None:
    """Start the watchdog where the main process answers pings while tasks run."""
    global _watchdog
    is_solo = sender.pool.__module__ == "celery.concurrency.solo"
    if sender.app.conf.worker_enable_remote_control and not (is_solo or _watchdog):
        _watchdog = WorkerWatchdog(sender)
        _watchdog.start()


@signals.task_received.connect
def _note_message(**_: Any) -> None:
    if _watchdog:
        _watchdog.note_message()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    if _watchdog:
        _watchdog.stop()
