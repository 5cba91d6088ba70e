from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from conditions.document import Document
from conditions.engine import EvaluationOutcome, compile_condition, validate_condition
from conditions.operators.base import (
    Check,
    check_any,
    check_datetime,
    check_length,
    check_list,
    check_number,
    check_range,
    check_text,
    operators,
)
from conditions.operators.text import check_pattern
from tests.conditions.builders import combined, rule, rules

TEXTS = st.text(st.characters(codec=None), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63, 10**400)
    | st.floats(allow_nan=False)
    | TEXTS
    | st.datetimes().map(str)
    | st.integers(-(10**20), 10**20).map(str)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
DATETIMES = st.datetimes().map(str) | st.dates().map(str)
RANGES = (st.tuples(NUMBERS, NUMBERS) | st.tuples(DATETIMES, DATETIMES)).map(sorted)
EXPECTED: dict[Check | None, st.SearchStrategy[object]] = {
    None: st.none(),
    check_any: JSON,
    check_list: st.lists(JSON, max_size=4),
    check_text: TEXTS,
    check_number: NUMBERS,
    check_datetime: DATETIMES,
    check_range: RANGES,
    check_length: st.integers(0, 5),
    check_pattern: st.sampled_from([".*a", "[a-z]+$", r"\d{2,9}", ""]),
}
FIELDS = st.sampled_from(["body", "body.x", "query.x", "body[0]"])


@st.composite
def valid_rules(draw: st.DrawFn) -> dict[str, object]:
    name = draw(st.sampled_from(operators.names()))
    operator = operators.get(name)
    assert operator is not None
    return rule(draw(FIELDS), name, draw(EXPECTED[operator.check]))


ANY_RULES = st.builds(rule, FIELDS, st.sampled_from(operators.names()), JSON)


@settings(deadline=None)
@given(written=valid_rules(), body=JSON | st.fixed_dictionaries({"x": JSON}))
def test_no_document_makes_an_operator_raise(
    written: dict[str, object], body: object
) -> None:
    values = {"body": body, "query": body}

    evaluation = compile_condition(rules(written)).evaluate(Document(values))

    assert evaluation.outcome in set(EvaluationOutcome)
    stored = json.dumps(evaluation.trace, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in stored
    stored.encode()


@settings(deadline=None)
@given(condition=JSON | ANY_RULES.map(rules))
def test_no_condition_makes_validation_raise(condition: object) -> None:
    faults = validate_condition(condition)

    for fault in faults:
        f"{fault.pointer} {fault.detail}".encode()


@settings(deadline=None)
@given(
    first=valid_rules(), second=valid_rules(), body=st.fixed_dictionaries({"x": JSON})
)
def test_not_of_and_equals_or_of_nots(
    first: dict[str, object], second: dict[str, object], body: object
) -> None:
    document = Document({"body": body, "query": body})
    one, other = rules(first), rules(second)
    not_both = combined("NOT", combined("AND", one, other))
    either_not = combined("OR", combined("NOT", one), combined("NOT", other))

    outcomes = {
        compile_condition(condition).evaluate(document).outcome
        for condition in (not_both, either_not)
    }

    assert len(outcomes) == 1
