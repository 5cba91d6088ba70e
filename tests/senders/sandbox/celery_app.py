"""A Celery app with one Celery task, which calls the sandbox and stores the result."""

from __future__ import annotations

import json
import os

import redis
from celery import Celery

from senders.sandbox import SandboxRefused, run_parser
from tests.senders.sandbox.processes import workers_of

QUEUE = "sandbox-calls"
ANSWERS = "sandbox-answers"

app = Celery("sandbox", set_as_current=False)
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
)


@app.task(name="call")
def call(code: str, number: int) -> None:
    try:
        found = run_parser(code, body=number, headers={}, config={})["echo"]
    except SandboxRefused as error:
        found = error.detail
    answer = {
        "number": number,
        "found": found,
        "pid": os.getpid(),
        "workers": sorted(workers_of(os.getpid())),
    }
    redis.Redis.from_url(os.environ["REDIS_URL"]).rpush(ANSWERS, json.dumps(answer))
