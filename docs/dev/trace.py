"""Counts the product files whose functions run for a webhook, a schedule, a condition.

Run from the root of the repository: `python docs/dev/trace.py`, with `--list` to name
the files in the order in which they are first used. The script starts PostgreSQL and
Valkey for itself, as the benchmarks do, and runs each path twice. It records only the
second run, so files that only import, compile, connect or fill a cache do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from count import PACKAGES

ROOT = Path.cwd()
# Python looks for modules in the folder of the script, where this file hides the
# standard library's `trace`. The modules of the product are in the root.
sys.path[0] = str(ROOT)

from benchmarks.body import HOLDS, HOLDS_NOT, push_body  # noqa: E402
from benchmarks.servers import benchmark_servers  # noqa: E402

if TYPE_CHECKING:
    from triggers.models import Trigger
    from webserver.adapter import BufferedApplication as Application

SECRET = "of-a-throw-away-server"  # noqa: S105
DEADLINE_SECONDS = 20.0

Call = tuple[str, str]


class Recorder:
    """A profile function: records which product file was called from which file."""

    def __init__(self) -> None:
        self._is_on = False
        self._calls: dict[Call, None] = {}
        self._names: dict[str, str] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or not self._is_on:
            return
        called = self._name_of(frame.f_code.co_filename)
        if called:
            caller = frame.f_back.f_code.co_filename if frame.f_back else ""
            self._calls[called, self._name_of(caller)] = None

    @contextmanager
    def recording(self) -> Iterator[list[Call]]:
        """Record until the context ends, which fills the list."""
        calls: list[Call] = []
        self._calls.clear()
        self._is_on = True
        try:
            yield calls
        finally:
            self._is_on = False
            calls += self._calls

    def _name_of(self, path: str) -> str:
        """Return the path of a product file, relative to the root, "" of any other."""
        name = self._names.get(path)
        if name is None:
            file = Path(path)
            is_ours = file.is_relative_to(ROOT)
            name = str(file.relative_to(ROOT)) if is_ours else ""
            name = name if name.partition("/")[0] in PACKAGES else ""
            self._names[path] = name
        return name


def files_of(calls: list[Call]) -> list[str]:
    return list(dict.fromkeys(called for called, _ in calls))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the files")
    options = parser.parse_args()
    # The second delivery runs in the thread of the first, which is connected already.
    os.environ["TICKHOOK_WEB_THREADS"] = "1"
    recorder = Recorder()
    # Before any thread starts: a thread takes the function over when it starts.
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    with benchmark_servers():
        webhook = trace_webhook(recorder)
        others = trace_schedule(recorder) | trace_condition(recorder)
    for title, files in (webhook | others).items():
        sys.stdout.write(f"{len(files):4} {title}\n")
        if options.list:
            sys.stdout.writelines(f"       {name}\n" for name in files)
    _, received, drained = webhook.values()
    both = {*received, *drained}
    shared = sum(name.startswith("common/") for name in both)
    sys.stdout.write(
        f"{len(both):4} signed GitHub delivery: receiver and drain together, "
        f"{shared} of them in common/\n"
    )


def trace_webhook(recorder: Recorder) -> dict[str, list[str]]:
    """Deliver a signed push of GitHub, then drain the inbox."""
    from benchmarks.reset import queue_length
    from config.asgi import application
    from executions.tasks import drain_inbox

    endpoint_path, body = _make_webhook_trigger(), push_body()

    def deliver() -> None:
        asyncio.run(_post(application, endpoint_path, body))
        _wait(lambda: queue_length("pipeline") > 0)  # the nudge has been published

    deliver()
    drain_inbox()
    _empty_queues()
    with recorder.recording() as received:
        deliver()
    with recorder.recording() as drained:
        drain_inbox()
    _assert_tasks(2)
    return {
        "signed GitHub delivery: web server": [
            name for name in files_of(received) if name.startswith("webserver/")
        ],
        "signed GitHub delivery: receiver, until its Event is stored": [
            name for name in files_of(received) if not name.startswith("webserver/")
        ],
        "signed GitHub delivery: drain, until its AgentTask is submitted": files_of(
            drained
        ),
    }


def trace_schedule(recorder: Recorder) -> dict[str, list[str]]:
    """Run the thread of the clock with a trigger that comes due each second."""
    from events.models import Event
    from triggers.clocks.ticker import Ticker

    trigger = _make_trigger(
        trigger_type="cron",
        schedule_type="cron",
        cron_expression="* * * * * *",
        timezone="Europe/Berlin",
    )
    events = Event.objects.filter(trigger_id=trigger.pk)
    ticker = Ticker()
    ticker.start()
    try:
        _wait(lambda: events.count() > 1)
        with recorder.recording() as calls:
            enough = events.count() + 2
            _wait(lambda: events.count() >= enough)
    finally:
        ticker.stop()
        ticker.join()
    return {"schedule: tick of the clock, until the Event is stored": files_of(calls)}


def trace_condition(recorder: Recorder) -> dict[str, list[str]]:
    """Save a trigger with a condition and evaluate it for an event.

    Counts the files of `conditions/`, their callers, and what they call.
    """
    from agents.models import AgentTask
    from events.models import EventSource
    from events.services.record import NewEvent, record_events
    from executions.tasks import drain_inbox

    rules = [
        {**rule, "field": f"payload.{rule['field']}"} for rule in (HOLDS_NOT, HOLDS)
    ]

    def save_and_evaluate(event_type: str) -> None:
        _make_trigger(
            trigger_type="event",
            event_types=[event_type],
            conditions={"type": "rule", "rules": rules, "logic": "OR"},
        )
        event = NewEvent(type=event_type, source=EventSource.EMIT, body=push_body())
        record_events([event])
        drain_inbox()

    drain_inbox()  # the events of the schedule
    before = AgentTask.objects.count()
    save_and_evaluate("trace.first")
    with recorder.recording() as calls:
        save_and_evaluate("trace.second")
    _assert_tasks(before + 2)
    own = "conditions/"
    near = {
        name for call in calls for name in call if any(f.startswith(own) for f in call)
    }
    return {
        "condition: saved with a trigger, then evaluated": [
            name for name in files_of(calls) if name in near
        ]
    }


def _make_webhook_trigger() -> str:
    """Create a trigger on pushes to a GitHub endpoint; return the endpoint's path."""
    condition = {
        "type": "rule",
        "rules": [{**HOLDS, "field": f"payload.{HOLDS['field']}"}],
    }
    trigger = _make_trigger(
        trigger_type="webhook",
        webhook={"type_slug": "github", "config": {"secret": SECRET}},
        conditions=condition,
    )
    assert trigger.endpoint is not None  # noqa: S101 - a webhook trigger has one
    return f"/webhooks/{trigger.endpoint.webhook_id}"


def _make_trigger(**fields: Any) -> Trigger:
    from agents.models import Agent
    from triggers.services.lifecycle import create_trigger

    config = {"task": "agents.tasks.echo", "queue": "agents"}
    agent, _ = Agent.objects.get_or_create(
        name="echo", defaults={"backend": "celery", "config": config}
    )
    webhook = fields.pop("webhook", None)
    event_types = fields.pop("event_types", ())
    columns = {
        "name": f"trace {uuid4()}",
        "agent": agent,
        "max_executions_per_hour": None,
        **fields,
    }
    saved = create_trigger(fields=columns, webhook=webhook, event_types=event_types)
    return saved.trigger


async def _post(application: Application, path: str, body: bytes) -> None:
    """Send a signed delivery to the ASGI application, as the web server does."""
    signature = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
    headers = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-github-event": "push",
        "x-github-delivery": str(uuid4()),
        "x-hub-signature-256": f"sha256={signature}",
    }
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
    }
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    await application(scope, receive, send)
    if answers[0]["status"] != 200:
        raise RuntimeError(answers)


def _wait(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def _empty_queues() -> None:
    from benchmarks.reset import broker

    with broker() as client:
        client.flushdb()


def _assert_tasks(count: int) -> None:
    """Raise if the runs have not created this many tasks: then they prove nothing."""
    from agents.models import AgentTask

    if AgentTask.objects.count() != count:
        raise RuntimeError(f"{AgentTask.objects.count()} tasks instead of {count}")


if __name__ == "__main__":
    main()
