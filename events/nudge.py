"""Nudges the pipeline when the inbox has new events: at most once in two seconds.

The worker deletes the nudge before it reads the inbox, so an event that is stored after
that read causes the next nudge. A lost nudge costs time, never an event.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import lru_cache
from typing import Any, cast

from celery import Task
from django.conf import settings
from django.utils.module_loading import import_string

from common.redis import ask_redis
from common.tasks import enqueue

logger = logging.getLogger(__name__)

KEY = "tickhook:nudge"
LIFETIME_MS = 2000
PAUSE_SECONDS = 0.01


def nudge() -> None:
    """Publish one drain message, unless one is already published and not yet read."""
    if ask_redis(
        lambda r: bool(r.set(KEY, 1, nx=True, px=LIFETIME_MS)), otherwise=False
    ):
        enqueue(cast("Task[Any, Any]", import_string(settings.TICKHOOK_ON_NEWS)))


def nudge_soon() -> None:
    """Nudge from a thread of this process, so that no caller waits for Redis or broker.

    Calls within 10 ms cause one nudge, after the last of them.
    """
    _start_nudger(os.getpid()).set()


def take_nudge() -> None:
    """Delete the nudge, so that the next event causes another."""
    ask_redis(lambda r: bool(r.delete(KEY)), otherwise=False)


@lru_cache(maxsize=1)
def _start_nudger(_process_id: int) -> threading.Event:
    """Start the thread once per process, because a fork does not inherit threads."""
    news = threading.Event()
    threading.Thread(
        target=_nudge_forever, args=(news,), name="nudge", daemon=True
    ).start()
    return news


def _nudge_forever(news: threading.Event) -> None:
    while True:
        news.wait()
        news.clear()
        try:
            nudge()
        except Exception:
            logger.exception(
                "The nudge failed; the sweep will process the stored events"
            )
        time.sleep(PAUSE_SECONDS)
