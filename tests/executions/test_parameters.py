from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from agents.models import AgentTask
from common.fields import dump_json
from events.models import EventSource
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.parameters import iso
from executions.services.run import run_trigger
from tests.factories import make_listener, make_trigger, record

pytestmark = pytest.mark.django_db

REQUEST = {
    "method": "PUT",
    "headers": {"x-odd": "a\x00b", "x-plain": "1"},
    "query": {"q": "\ud800", "many": ["1", "2"]},
}


def given(**event: Any) -> dict[str, Any]:
    """Return the parameters of the only task of an event."""
    record(**event)
    drain()
    parameters: dict[str, Any] = AgentTask.objects.get().parameters
    return parameters


def by_webhook(body: bytes, **fields: Any) -> dict[str, Any]:
    trigger = make_trigger(trigger_type="webhook")
    return given(
        type="generic.received",
        source=EventSource.WEBHOOK,
        endpoint_id=trigger.endpoint_id,
        request=dump_json(REQUEST),
        body=body,
        **fields,
    )


def test_mapped_parameters_override_the_triggers_own() -> None:
    make_listener(
        task_parameters={"kept": 1, "amount": 2},
        parameter_mapping={"amount": "body.amount", "gone": "body.missing"},
    )

    parameters = given(body=b'{"amount": 7}')

    assert {k: parameters[k] for k in ("kept", "amount", "gone")} == {
        "kept": 1,
        "amount": 7,
        "gone": None,
    }


def test_a_runs_own_parameters_override_all_but_the_event() -> None:
    trigger = make_listener(task_parameters={"a": 1}, parameter_mapping={"b": "body.b"})
    own = {"a": "run", "b": "run", "trigger_data": "forged"}

    run_trigger(trigger_id=trigger.id, payload={"b": 2}, parameters=own)
    drain()

    parameters = AgentTask.objects.get().parameters
    assert (parameters["a"], parameters["b"]) == ("run", "run")
    assert parameters["trigger_data"]["body"] == {"b": 2}
    assert parameters["trigger_data"]["source"] == "manual"


def test_the_request_of_a_webhook_is_passed_unchanged() -> None:
    data = by_webhook(b'{"a": 1}', delivery_id="d-1")["trigger_data"]

    assert data["method"] == "PUT"
    assert data["headers"] == REQUEST["headers"]
    assert data["query_params"] == REQUEST["query"]
    assert data["delivery_id"] == "d-1"
    assert data["event_type"] == "generic.received"
    assert data["source"] == "webhook"


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": 18446744073709551616, "m": -170141183460469231731687303715884105728}',
        b'{"n": ' + b"9" * 4300 + b"}",
        b'{"s": "\\u0000"}',
        b'{"s": "\\ud800", "t": "\\udfff\\ud83d"}',
        b'{"f": 0.1, "e": 1E+2, "z": -0.0}',
        b'[1, "two", null, true]',
        b'"text"',
        b"null",
        b"  12  ",
        '{"ä": "日本"}'.encode(),
        b"[" * 100 + b"]" * 100,
        b"\xef\xbb\xbf" + b'{"bom": 1}',
    ],
)
def test_a_json_body_keeps_its_meaning(body: bytes) -> None:
    assert by_webhook(body)["trigger_data"]["body"] == json.loads(body)


def test_numbers_are_passed_as_they_were_sent() -> None:
    make_listener()

    given(body=b'{"price":1.10,"id":12345678901234567890.0}')

    with connection.cursor() as cursor:
        cursor.execute("SELECT parameters::text FROM agents_agenttask")
        stored = cursor.fetchone()[0]
    assert '"body":{"price":1.10,"id":12345678901234567890.0}' in stored


def test_a_form_is_passed_as_its_fields() -> None:
    data = by_webhook(
        b"a=1&b=%00&b=two", content_type="application/x-www-form-urlencoded"
    )["trigger_data"]

    assert data["body"] == {"a": "1", "b": ["\x00", "two"]}


@pytest.mark.parametrize(
    ("body", "value"),
    [(b"", None), (b"plain \xe2\x82\xac", "plain €"), (b"\xff\x00", None)],
)
def test_a_body_that_is_not_json_is_text_or_null(body: bytes, value: object) -> None:
    data = by_webhook(body, content_type="text/plain")["trigger_data"]

    assert data["body"] == value


def test_trigger_data_of_a_schedule_has_its_instant() -> None:
    trigger = make_trigger(
        trigger_type="cron", schedule_type="cron", cron_expression="0 3 * * *"
    )
    due = datetime(2026, 1, 1, 3, tzinfo=UTC)

    data = given(
        type="schedule.due",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        scheduled_for=due,
    )["trigger_data"]

    assert data["source"] == "cron"
    assert data["scheduled_for"] == data["execution_time"] == "2026-01-01T03:00:00Z"
    assert data["cron_expression"] == "0 3 * * *"
    assert data["lateness_seconds"] > 0


def test_metadata_names_the_origin_of_a_task() -> None:
    trigger = make_listener(task_type="report")
    event = record(depth=2)

    drain()

    task, execution = AgentTask.objects.get(), TriggerExecution.objects.get()
    assert task.idempotency_key == execution.id
    assert (task.task_type, task.title) == ("report", f"{trigger.name}: invoice.paid")
    assert {**task.metadata, "created_at": None} == {
        "trigger_id": str(trigger.id),
        "trigger_name": trigger.name,
        "trigger_version": 1,
        "execution_id": str(execution.id),
        "event_id": str(event.id),
        "correlation_id": str(event.correlation_id),
        "cause_id": None,
        "depth": 2,
        "fired_at": iso(event.received_at),
        "attempt": 1,
        "created_at": None,
    }
