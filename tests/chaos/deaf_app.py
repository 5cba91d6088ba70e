"""The project's Celery app without timeouts, and with an impatient watchdog.

Without timeouts, a worker never notices that its broker's answers do not arrive.
"""

from __future__ import annotations

from celery.signals import worker_init

from config.celery import app

__all__ = ["app"]

app.conf.broker_transport_options = {"queue_order_strategy": "priority"}


@worker_init.connect
def _hurry(**_: object) -> None:
    from common import worker_watchdog

    worker_watchdog.PING_SECONDS = 1.0
    worker_watchdog.REST_SECONDS = 0.5
    worker_watchdog.MAX_FAILURES = 3
