"""Nudges the pipeline when the inbox has new events: at most once in two seconds.

The worker deletes the nudge before it reads the inbox, so an event that is stored after
that read causes the next nudge. A lost nudge costs time, never an event.
"""

from __future__ import annotations

from typing import Any, cast

from celery import Task
from django.conf import settings
from django.utils.module_loading import import_string

from common.redis import ask_redis
from common.tasks import enqueue
from common.threads import BackgroundThread

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
    _nudger.wake()


def take_nudge() -> None:
    """Delete the nudge, so that the next event causes another."""
    ask_redis(lambda r: bool(r.delete(KEY)), otherwise=False)


def _nudge_and_pause() -> None:
    nudge()
    _nudger.pause(PAUSE_SECONDS)


_nudger = BackgroundThread(_nudge_and_pause, name="nudge")
