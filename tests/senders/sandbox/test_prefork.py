from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.conf import settings

from tests.acceptance.waiting import wait_for
from tests.senders.sandbox.celery_app import ANSWERS, app
from tests.senders.sandbox.code import ECHO, LOOPS
from tests.senders.sandbox.processes import is_worker

pytestmark = pytest.mark.acceptance

CALLS = 60


@contextmanager
def prefork_worker() -> Iterator[None]:
    """Run a Celery worker of two processes, each replaced after a few tasks."""
    options = ["--pool=prefork", "--concurrency=2", "--max-tasks-per-child=12"]
    quiet = ["--without-gossip", "--without-mingle", "--loglevel=ERROR"]
    name = "tests.senders.sandbox.celery_app"
    # Without the settings of the project: the app does not use Django.
    environment = {**os.environ, "CELERY_BROKER_URL": settings.CELERY_BROKER_URL}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    process = subprocess.Popen(  # noqa: S603 (this Python, an app of ours)
        [sys.executable, "-m", "celery", "-A", name, "worker", *options, *quiet],
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


def answers() -> list[dict[str, Any]]:
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    with client:
        return [json.loads(found) for found in client.lrange(ANSWERS, 0, -1)]


def test_the_processes_of_a_celery_worker_each_have_a_sandbox() -> None:
    evil = set(range(5, CALLS, 10))
    app.conf.update(broker_url=settings.CELERY_BROKER_URL)
    with prefork_worker():
        for number in range(CALLS):
            code = LOOPS["not interruptible"] if number in evil else ECHO
            app.send_task("call", [code, number])
        wait_for(lambda: len(answers()) == CALLS, timeout_seconds=60)
    found = answers()

    assert {answer["number"]: answer["found"] for answer in found} == {
        n: "It ran longer than 500 ms" if n in evil else n for n in range(CALLS)
    }
    assert len({answer["pid"] for answer in found}) >= 4
    workers = {worker for answer in found for worker in answer["workers"]}
    assert len(workers) >= 4
    wait_for(lambda: not any(map(is_worker, workers)), timeout_seconds=60)
