from __future__ import annotations

import json

import pytest

from common.errors import Fault, TickhookError
from common.registry import import_modules
from conditions.base import condition_types
from conditions.document import Document
from conditions.engine import InvalidCondition, compile_condition, validate_condition
from tests.conditions.builders import MET, NOT_MET, combined, evaluate, rule, rules

PUSH = rules(
    rule("request.method", "eq", "POST"),
    rule("request.body.event_type", "eq", "push"),
)
DOCUMENT_SENT = rules(rule("request.body.document.file_name", "ends_with", ".pdf"))


def request(body: object, method: str = "POST") -> dict[str, object]:
    return {"request": {"method": method, "body": body}, "body": body}


@pytest.mark.parametrize(
    ("method", "event_type", "outcome"),
    [("POST", "push", MET), ("GET", "push", NOT_MET), ("POST", "fork", NOT_MET)],
)
def test_a_posted_push_meets_the_documented_rule(  # R178
    method: str, event_type: str, outcome: object
) -> None:
    values = request({"event_type": event_type}, method)

    assert evaluate(PUSH, values).outcome is outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"document": {"file_name": "report.pdf"}}, MET),
        ({"text": "hello world"}, NOT_MET),
        ({"event_type": "push"}, MET),
    ],
)
def test_the_documented_or_accepts_a_push_or_a_document(  # R178
    body: object, outcome: object
) -> None:
    condition = combined("OR", PUSH, DOCUMENT_SENT)

    assert evaluate(condition, request(body)).outcome is outcome


@pytest.mark.parametrize(
    ("hour", "outcome"), [(8, NOT_MET), (9, MET), (17, MET), (18, NOT_MET)]
)
def test_office_hours_are_two_rules_on_the_hour(  # R168
    hour: int, outcome: object
) -> None:
    condition = rules(rule("hour", "gte", 9), rule("hour", "lte", 17))

    assert evaluate(condition, {"hour": hour}).outcome is outcome


def test_one_event_is_routed_by_several_conditions() -> None:  # R179
    sales = rules(rule("body.subject", "contains", "price"))
    support = rules(rule("body.subject", "contains", "broken"))
    values = {"body": {"subject": "it arrived broken"}}

    outcomes = [evaluate(condition, values).outcome for condition in (sales, support)]

    assert outcomes == [NOT_MET, MET]


def test_the_empty_condition_always_matches() -> None:
    evaluation = evaluate({}, {})

    assert validate_condition({}) == []
    assert evaluation.outcome is MET
    assert evaluation.trace == {"type": "always", "outcome": "met"}


def test_compiling_an_invalid_condition_raises_all_faults() -> None:
    condition = rules(rule("body.x", "equal", 1), rule("body.x", "in", 1))

    with pytest.raises(InvalidCondition) as raised:
        compile_condition(condition)

    assert isinstance(raised.value, TickhookError)
    assert (raised.value.http_status, raised.value.code) == (400, "invalid_condition")
    assert raised.value.faults == (
        Fault("/rules/0/operator", "Unknown operator 'equal'; did you mean 'equals'?"),
        Fault("/rules/1/value", "in needs a list"),
    )


def test_a_compiled_condition_evaluates_any_number_of_documents() -> None:
    compiled = compile_condition(PUSH)

    outcomes = [
        compiled.evaluate(Document(request({"event_type": event_type}))).outcome
        for event_type in ("push", "fork", "push")
    ]

    assert outcomes == [MET, NOT_MET, MET]


def test_cost_counts_the_rules() -> None:
    compiled = compile_condition(combined("OR", PUSH, combined("NOT", DOCUMENT_SENT)))

    assert compiled.cost == 3


def test_the_trace_is_json() -> None:
    trace = evaluate(combined("NOT", PUSH), request({"event_type": "push"})).trace

    assert json.loads(json.dumps(trace)) == trace


def test_each_module_of_condition_types_registers_one_type() -> None:
    import_modules("conditions.types")

    assert condition_types.names() == ["combined", "rule"]
