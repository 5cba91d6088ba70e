from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Inbox
from events.services.record import record_events
from executions.pipeline import evaluate, parse
from executions.pipeline.drain import drain
from tests.executions.flow import history
from tests.executions.poison import refused_executions
from tests.executions.senders import (
    Define,
    deliver,
    make_receiver,
    new_delivery,
    parsed_parameters,
)
from tests.executions.senders import define as define  # is a fixture
from tests.factories import make_listener, new_event

pytestmark = pytest.mark.django_db

PARSES = "def parse(body): return {'found': body['id']}"
LOOPS = "def parse(body):\n    while True: pass"
LOOPS_ON_DEMAND = """
def parse(body):
    while body['loops']:
        pass
    return {}
"""
NO = "def validate(headers): return headers['x-level'] == '8'"


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Record each run of a function of the sandbox."""
    runs: list[str] = []
    run = getattr(parse, name)

    def note(*args: Any, **kwargs: Any) -> Any:
        runs.append(name)
        return run(*args, **kwargs)

    monkeypatch.setattr(parse, name, note)
    return runs


def test_code_runs_once_for_an_event_with_many_triggers(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    runs, trigger = counted(monkeypatch, "run_parser"), make_receiver()
    for _ in range(3):
        make_listener(
            event_types=["shop.order"], parameter_mapping={"parsed": "parsed"}
        )

    deliver(trigger)
    drain()

    assert [found["found"] for found in parsed_parameters()] == [5] * 4
    assert len(runs) == 1


def test_code_does_not_run_for_an_event_without_triggers(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    runs = counted(monkeypatch, "run_parser")

    record_events([new_event(type="shop.order", source="webhook")])

    assert drain() == 1
    assert runs == []


@pytest.mark.parametrize(
    "validation_code",
    [NO, "def validate(): return 1 / 0", "def validate(): return None"],
)
def test_an_invalid_delivery_is_skipped_for_all_triggers(
    validation_code: str, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(
        custom_parser_code=PARSES,
        validation_code=validation_code,
        validation_required=True,
    )
    runs = counted(monkeypatch, "run_parser")
    triggers = make_receiver(), make_listener(event_types=["shop.order"])

    deliver(triggers[0])
    drain()

    assert [history(t) for t in triggers] == [["skipped: invalid_delivery"]] * 2
    assert runs == []
    assert not Inbox.objects.exists()


@pytest.mark.usefixtures("_ample_time_for_code")
def test_a_valid_delivery_has_is_valid(define: Define) -> None:
    define(validation_code="def validate(body): return True", validation_required=True)

    deliver(make_receiver())
    drain()

    assert [found["is_valid"] for found in parsed_parameters()] == [True]


def test_a_delivery_that_the_receiver_validated_is_not_validated_again(
    define: Define,
) -> None:
    define(validation_code=NO, validation_required=True)
    trigger = make_receiver()

    deliver(trigger, request={"validated": True})
    deliver(trigger, request={"validated": "true"})
    drain()

    assert history(trigger) == ["success", "skipped: invalid_delivery"]
    assert [found["is_valid"] for found in parsed_parameters()] == [True]


def test_validation_that_is_not_required_is_not_run(define: Define) -> None:
    define(validation_code=NO)
    trigger = make_receiver()

    deliver(trigger)
    drain()

    assert history(trigger) == ["success"]
    assert "is_valid" not in parsed_parameters()[0]


def test_code_that_does_not_end_holds_up_no_other_event(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=LOOPS)
    monkeypatch.setattr("executions.pipeline.drain.MAX_BATCHES", 1)
    monkeypatch.setattr("executions.pipeline.drain._process_next_suspects", lambda: 0)
    slow, other = make_receiver(), make_receiver()
    record_events([new_delivery(slow) for _ in range(8)])
    record_events([new_delivery(other, type="generic.received")])

    assert drain() == 4

    errors = [found.get("parse_error") for found in parsed_parameters()]
    assert errors == [*["It ran longer than 500 ms"] * 3, None]
    assert list(Inbox.objects.values_list("deaths", flat=True)) == [1] * 5


def test_an_event_is_evaluated_on_its_own_after_slow_ones(define: Define) -> None:
    define(custom_parser_code=LOOPS_ON_DEMAND)
    trigger = make_receiver()
    slow = [new_delivery(trigger, body=b'{"loops": true}') for _ in range(3)]
    record_events([*slow, new_delivery(trigger, body=b'{"loops": false}')])

    assert drain() == 4

    errors = [found.get("parse_error") for found in parsed_parameters()]
    assert errors == [*["It ran longer than 500 ms"] * 3, None]
    assert not Inbox.objects.exists()


def test_events_over_the_time_of_a_batch_are_left_to_the_next(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    monkeypatch.setattr(evaluate, "MAX_SECONDS", 0.0)
    monkeypatch.setattr("executions.pipeline.drain.MAX_BATCHES", 1)
    runs, trigger = counted(monkeypatch, "run_parser"), make_receiver()
    record_events([new_delivery(trigger) for _ in range(3)])

    assert [drain(), len(runs)] == [1, 1]
    assert [drain(), len(runs)] == [1, 2]


def test_validation_that_does_not_end_rejects_each_time(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = "def validate():\n    while True: pass"
    define(validation_required=True, validation_code=loops)
    runs, trigger = counted(monkeypatch, "run_validator"), make_receiver()
    record_events([new_delivery(trigger) for _ in range(5)])

    drain()

    assert history(trigger) == ["skipped: invalid_delivery"] * 5
    assert len(runs) == 5


def test_code_runs_once_for_an_event_processed_by_trigger(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    runs, bad = counted(monkeypatch, "run_parser"), make_receiver()
    good = [make_listener(event_types=["shop.order"]) for _ in range(3)]

    deliver(bad)
    with refused_executions("trigger_id", bad.id):
        drain()

    assert history(bad) == ["failed: poison"]
    assert [history(trigger) for trigger in good] == [["success"]] * 3
    assert len(runs) == 2


def test_endpoint_configs_are_loaded_once_and_only_for_code(
    define: Define,
) -> None:
    define(custom_parser_code=PARSES)
    with_code, without = make_receiver(), make_receiver()

    def asked(*args: Any, **fields: Any) -> int:
        record_events([new_delivery(*args, **fields) for _ in range(3)])
        with CaptureQueriesContext(connection) as queries:
            drain()
        return sum("webhookendpoint" in q["sql"] for q in queries.captured_queries)

    assert asked(with_code) == 1
    assert asked(without, type="generic.received") == 0
