"""What the web server runs: the WSGI application, behind one that reads bodies."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal

from django.conf import settings
from django.urls import get_resolver

from config.wsgi import application as wsgi_application

# isort: split
# What follows needs a Django that is set up.
from common.pooling import StatementsMixedUp, refuse_wrong_pooler
from config.broker import publish_impatiently
from webserver.adapter import BufferedApplication
from webserver.descriptors import allow_all_connections
from webserver.limits import Limits

try:
    refuse_wrong_pooler()
except StatementsMixedUp:
    # granian would start this process again and again.
    granian = multiprocessing.parent_process()
    if granian and granian.pid:
        os.kill(granian.pid, signal.SIGTERM)
    raise
publish_impatiently()
allow_all_connections()

application = BufferedApplication(
    wsgi_application,
    limits=Limits(
        body_seconds=settings.TICKHOOK_BODY_SECONDS,
        max_api_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    ),
    threads=settings.TICKHOOK_WEB_THREADS,
)

# Everything that stays for the life of the process is made now, and never looked at by
# the garbage collector again: a full collection is otherwise as long as all of that.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
