"""The ASGI application of the web server: it reads bodies and calls the WSGI one."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal

from django.conf import settings
from django.urls import get_resolver

from config.wsgi import application as wsgi_application

# isort: split
# These imports need a Django that is set up.
from common.pooling import StatementsMixedUp, refuse_wrong_pooler
from config.celery import shorten_broker_timeouts
from webserver.adapter import BufferedApplication
from webserver.descriptors import allow_all_connections
from webserver.limits import Limits

try:
    refuse_wrong_pooler()
except StatementsMixedUp:
    # Otherwise granian starts this process again and again.
    granian = multiprocessing.parent_process()
    if granian and granian.pid:
        os.kill(granian.pid, signal.SIGTERM)
    raise
shorten_broker_timeouts()
allow_all_connections()

application = BufferedApplication(
    wsgi_application,
    limits=Limits(
        body_seconds=settings.TICKHOOK_BODY_SECONDS,
        max_api_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    ),
    threads=settings.TICKHOOK_WEB_THREADS,
)

# Objects that live as long as the process are made now and then ignored by the garbage
# collector: otherwise they make each full collection slow.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
