"""Tells the pipeline that the inbox has news: at most one message in two seconds.

The worker takes the nudge back before it first looks, so whoever stores an event after
that look sends the next one. A nudge that is lost costs time, never an event.
"""

from __future__ import annotations

from typing import Any, cast

from celery import Task
from django.conf import settings
from django.utils.module_loading import import_string

from common.redis import ask_redis
from common.tasks import enqueue

KEY = "tickhook:nudge"
LIFETIME_MS = 2000


def nudge() -> None:
    """Publish one drain message, unless one is under way."""
    if ask_redis(
        lambda r: bool(r.set(KEY, 1, nx=True, px=LIFETIME_MS)), otherwise=False
    ):
        enqueue(cast("Task[Any, Any]", import_string(settings.TICKHOOK_ON_NEWS)))


def take_nudge() -> None:
    """Forget the nudge, so that the next event sends one again."""
    ask_redis(lambda r: bool(r.delete(KEY)), otherwise=False)
