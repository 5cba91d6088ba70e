"""Tells the pipeline that the inbox has news: at most one message in two seconds.

The worker takes the nudge back before it first looks, so whoever stores an event after
that look sends the next one. A nudge that is lost costs time, never an event.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from celery import Task
from django.conf import settings
from django.utils.module_loading import import_string

from common.redis import ask_redis
from common.tasks import enqueue
from common.threads import BackgroundThread

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
    """Nudge from a background thread, so that the caller does not wait for Redis.

    Calls within 10 ms share one nudge, which is sent after the last of them.
    """
    _nudger.wake()


def take_nudge() -> None:
    """Forget the nudge, so that the next event sends one again."""
    ask_redis(lambda r: bool(r.delete(KEY)), otherwise=False)


def _nudge_and_pause() -> None:
    nudge()
    _nudger.pause(PAUSE_SECONDS)


_nudger = BackgroundThread(_nudge_and_pause, name="nudge")
