"""Fills all tables with what senders and agents said of a subject, and searches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone
from django_celery_results.models import TaskResult

from agents.models import AgentTask, TaskStatus
from agents.services.run import claim_task, finish_task
from common.redis import ask_redis
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.services.run import run_trigger
from tests.conditions.builders import rule, rules
from tests.factories import make_listener, make_trigger, record
from tests.webhooks.deliveries import deliver
from tests.webhooks.received import accept
from triggers.models import Overlap, Trigger
from webhooks.deliveries.redelivery import redeliver
from webhooks.inspectors.store import open_inspector, store_request
from webhooks.models import Delivery, PendingFetch, WebhookEndpoint
from webhooks.rejections.recording import flush_rejections

Rows = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Where a subject's canary came in: a delivery, and the triggers that it started.

    `finished` has ended, `held` waits for its turn, `waiting` is still in the inbox.
    """

    canary: str
    hook: Trigger
    listener: Trigger
    delivery_id: UUID
    waiting_id: UUID
    finished: AgentTask
    held: TriggerExecution

    @property
    def endpoint(self) -> WebhookEndpoint:
        assert self.hook.endpoint is not None
        return self.hook.endpoint


def fill(subject: str, canary: str) -> Said:
    """Store a canary in each column that can hold data of a subject."""
    hook = make_hook(subject)
    assert hook.endpoint is not None
    delivery_id = _deliver(hook.endpoint, canary)
    listener = make_listener(subject=subject, overlap=Overlap.BUFFER_ALL)
    for _ in range(2):
        record(
            subject=subject,
            body=f'{{"text":"{canary}"}}'.encode(),
            content_type=f"text/plain; of={canary}",
            delivery_id=canary,
        )
    run_trigger(
        trigger_id=make_trigger(subject=subject).pk,
        payload={"note": canary},
        parameters={"note": canary},
    )
    drain()
    finished = _answer(hook, canary)
    held = TriggerExecution.objects.get(trigger=listener, status="pending")
    TriggerExecution.objects.filter(trigger=hook).update(
        error_message=canary, parameters={"kept": canary}
    )
    waiting = record(subject=subject, body=canary.encode())
    _keep_apart(hook.endpoint, canary)
    return Said(
        canary=canary,
        hook=hook,
        listener=listener,
        delivery_id=delivery_id,
        waiting_id=waiting.pk,
        finished=finished,
        held=held,
    )


def make_hook(subject: str) -> Trigger:
    return make_trigger(
        trigger_type="webhook",
        webhook={},
        subject=subject,
        max_executions_per_hour=None,
        parameter_mapping={"who": "body.who"},
        conditions=rules(rule("body.who", "starts_with", "can")),
    )


def _deliver(endpoint: WebhookEndpoint, canary: str) -> UUID:
    body = f'{{"who":"{canary}"}}'.encode()
    sent = {"query": f"?q={canary}", "X_Note": canary, "X_Delivery_Id": canary}
    event = accept(endpoint, body, **sent)
    assert deliver(endpoint, body, **sent).json()["status"] == "duplicate"
    assert deliver(endpoint, b"{}", **sent).status_code == 409
    flush_rejections()
    redeliver(delivery=Delivery.objects.get(pk=event.pk))
    return event.pk


def _answer(hook: Trigger, canary: str) -> AgentTask:
    """Let the agent answer both tasks: with a result, and with an error."""
    tasks = AgentTask.objects.filter(execution__trigger=hook).order_by("pk")
    first, second = (claim_task(task_id=task.pk) for task in tasks)
    assert first is not None
    assert second is not None
    finish_task(task=first, status=TaskStatus.SUCCEEDED, result={"text": canary})
    finish_task(task=second, status=TaskStatus.FAILED, error=canary)
    for number in ("", ":1"):
        TaskResult.objects.create(task_id=f"{first.pk}{number}", result=canary)
    return first


def _keep_apart(endpoint: WebhookEndpoint, canary: str) -> None:
    PendingFetch.objects.create(
        kind="confirmation",
        url=f"https://sender.example/?token={canary}",
        endpoint_id=endpoint.pk,
        next_attempt_at=timezone.now(),
        error=canary,
    )
    inspector = open_inspector(endpoint_id=endpoint.pk)
    store_request(inspector.token, {"body": canary})


def all_rows() -> Rows:
    """Return all rows of all tables as text, bytes in hexadecimal."""
    rows: Rows = Counter()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608 - our own
            rows.update((table, text) for (text,) in cursor.fetchall())
    return rows


def tables_with(canary: str) -> set[str]:
    """Return the tables, and the keys of Redis, that hold a text."""
    hexadecimal = canary.encode().hex()
    in_rows = {
        table for table, row in all_rows() if canary in row or hexadecimal in row
    }
    return in_rows | {key for key, value in _in_redis() if canary in value}


def _in_redis() -> Iterator[tuple[str, str]]:
    keys: list[bytes] = ask_redis(lambda r: list(r.scan_iter()), otherwise=[])
    for key in keys:
        yield key.decode(), str(ask_redis(partial(_read, key), otherwise=None))


def _read(key: bytes, client: Any) -> object:
    match client.type(key):
        case b"list":
            return client.lrange(key, 0, -1)
        case b"hash":
            return client.hgetall(key)
        case b"zset":
            return client.zrange(key, 0, -1)
        case b"set":
            return client.smembers(key)
    return client.get(key)
