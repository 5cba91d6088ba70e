"""The ASGI application: it reads requests completely and runs the WSGI application."""

from __future__ import annotations

import multiprocessing
import os
import signal

from django.conf import settings
from django.urls import get_resolver

from config.wsgi import application as wsgi_application

# isort: split
# The imports below need a configured Django.
from common.garbage import collect_less_garbage
from common.pooling import StatementsMixedUp, refuse_wrong_pooler
from config.celery import shorten_broker_timeouts
from config.request_classes import WebhooksTogether, request_classes
from webserver.adapter import BufferedApplication
from webserver.descriptors import allow_all_connections
from webserver.limits import Limits

try:
    refuse_wrong_pooler()
except StatementsMixedUp:
    # granian would restart this process again and again.
    granian = multiprocessing.parent_process()
    if granian and granian.pid:
        os.kill(granian.pid, signal.SIGTERM)
    raise
shorten_broker_timeouts()
allow_all_connections()

application = BufferedApplication(
    wsgi_application,
    classes=request_classes(max_api_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
    limits=Limits(body_seconds=settings.TICKHOOK_BODY_SECONDS),
    threads=settings.TICKHOOK_WEB_THREADS,
    answer_together=WebhooksTogether(),
)

# What lives as long as the process is created now, and no more collected as garbage.
_ = get_resolver().url_patterns
collect_less_garbage()
