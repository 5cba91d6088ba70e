from __future__ import annotations

import json
import pkgutil
from dataclasses import dataclass
from typing import Any

import pytest

from conditions import types
from conditions.base import condition_types
from conditions.document import ROOTS, Document
from conditions.engine import EvaluationOutcome, compile_condition, validate_condition

OVER_1000 = {"field": "body.amount", "operator": "greater_than", "value": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A valid condition of a type; only an amount over 1,000 meets it."""

    condition: dict[str, Any]


SAMPLES = {
    "rule": Sample(condition={"type": "rule", "rules": [OVER_1000]}),
    "combined": Sample(
        condition={
            "type": "combined",
            "logic": "AND",
            "conditions": [{"type": "rule", "rules": [OVER_1000]}],
        }
    ),
}
GARBAGE: tuple[object, ...] = (
    None,
    True,
    0,
    "",
    [],
    {},
    [[[]]],
    {"type": None},
    "\ud800",
    10**400,
)

every_type = pytest.mark.parametrize("name", condition_types.names())


def document(amount: object) -> Document:
    return Document({"body": {"amount": amount}})


def test_every_registered_type_has_a_sample() -> None:
    assert condition_types.names() == sorted(SAMPLES)


def test_each_module_of_the_package_registers_a_type() -> None:
    modules = {found.name for found in pkgutil.iter_modules(types.__path__)}

    registering = {
        cls.__module__.rpartition(".")[2]
        for name in condition_types.names()
        if (cls := condition_types.get(name))
    }

    assert registering == modules


@every_type
def test_the_sample_is_valid_and_its_trace_names_the_type(name: str) -> None:
    condition = SAMPLES[name].condition

    evaluation = compile_condition(condition).evaluate(document(1001))

    assert validate_condition(condition) == []
    assert evaluation.outcome == EvaluationOutcome.MET
    assert evaluation.trace["type"] == name
    assert evaluation.trace["outcome"] == "met"


@every_type
def test_each_of_the_three_outcomes_occurs(name: str) -> None:
    compiled = compile_condition(SAMPLES[name].condition)

    outcomes = [compiled.evaluate(document(value)).outcome for value in (1001, 1, "x")]

    assert outcomes == [
        EvaluationOutcome.MET,
        EvaluationOutcome.NOT_MET,
        EvaluationOutcome.ERROR,
    ]


@every_type
def test_an_unknown_key_is_rejected_at_its_location(name: str) -> None:
    faults = validate_condition({**SAMPLES[name].condition, "surprise": 1})

    assert [fault.pointer for fault in faults] == ["/surprise"]


@every_type
@pytest.mark.parametrize("value", GARBAGE, ids=repr)
def test_a_key_with_any_value_is_rejected_or_compiles(name: str, value: object) -> None:
    for key in SAMPLES[name].condition:
        changed = {**SAMPLES[name].condition, key: value}

        faults = validate_condition(changed)

        if faults:
            assert all(fault.pointer.startswith("/") for fault in faults)
        else:
            compile_condition(changed).evaluate(document(1))


@every_type
@pytest.mark.parametrize("value", GARBAGE, ids=repr)
def test_any_document_is_evaluated_with_a_json_trace(name: str, value: object) -> None:
    compiled = compile_condition(SAMPLES[name].condition)

    evaluation = compiled.evaluate(Document(dict.fromkeys(ROOTS, value)))

    assert evaluation.outcome in set(EvaluationOutcome)
    json.dumps(evaluation.trace, allow_nan=False).encode()
