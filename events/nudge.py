"""Tells the pipeline that the inbox has news: at most one message in two seconds.

The worker takes the nudge back before it first looks, so whoever stores an event after
that look sends the next one. A nudge that is lost costs time, never an event.
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
    """Publish one drain message, unless one is under way."""
    if ask_redis(
        lambda r: bool(r.set(KEY, 1, nx=True, px=LIFETIME_MS)), otherwise=False
    ):
        enqueue(cast("Task[Any, Any]", import_string(settings.TICKHOOK_ON_NEWS)))


def nudge_soon() -> None:
    """Have this process's own thread nudge: nobody waits for Redis or the broker.

    However many ask within 10 ms, one nudge follows the last of them.
    """
    _nudger(os.getpid()).set()


def take_nudge() -> None:
    """Forget the nudge, so that the next event sends one again."""
    ask_redis(lambda r: bool(r.delete(KEY)), otherwise=False)


@lru_cache(maxsize=1)
def _nudger(_process_id: int) -> threading.Event:
    """Start the thread once a process; a fork has none of its parent's."""
    news = threading.Event()
    threading.Thread(
        target=_nudge_for_ever, args=(news,), name="nudge", daemon=True
    ).start()
    return news


def _nudge_for_ever(news: threading.Event) -> None:
    while True:
        news.wait()
        news.clear()
        try:
            nudge()
        except Exception:
            logger.exception("The nudge failed; the sweep finds what is stored")
        time.sleep(PAUSE_SECONDS)
