"""Random templates and documents, compared with the slow reference.

`make test-long` runs this with 100,000 of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.templating import (
    InvalidTemplate,
    RenderingFailed,
    parse_path,
    parse_template,
)
from conditions.document import ROOTS, UnreadableFieldError, parse_field
from tests.common.templating import reference

MANY = int(os.environ.get("MANY_TEMPLATES", "500"))
many = settings(
    max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck)
)
# The long form takes minutes.
pytestmark = pytest.mark.timeout(3_000)

NAMES = ("a", "b", "0", "-1", "a.b", "größe", "Ab", 'say "hi"', "*", "")
TEXTS = st.text(st.characters(codec=None), max_size=6) | st.sampled_from([
    " x ", "ß", "İ", "{{ body }}", "\ud83d\ude00", "\ud800", "\0", "2024-02-29",
    "2024-02-29T23:30:00-05:00", "0001-01-01T00:00:00+05:00", "20240229",
    "1712012341030", "1700000000.5", "9999-12-31T23:59:59Z", "1e400000000", "12:00",
])  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**13)
    | st.floats()
    | st.just(10**400)
    | TEXTS
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=10,
)
DOCUMENTS = st.fixed_dictionaries({"body": JSON, "b": JSON})

STEPS = st.sampled_from([
    ".a", ".b", ".0", "[0]", "[-1]", "[*]", "[1]", "[-2]", '["a.b"]', '["0"]', ".größe",
    ".*", ".-1", '["-1"]', '[""]', '["say \\"hi\\""]', '["\\u0061"]', "[00]", "[-01]",
])  # fmt: skip
PATHS = st.builds(
    lambda root, steps: root + "".join(steps),
    st.sampled_from(["body", "b", "c"]),
    st.lists(STEPS, max_size=3),
)
FILTERS = st.sampled_from([
    "json", "upper", "lower", "trim", "date", "date()", 'date("%Y-%m-%d")', "default",
    'date("%A %a %B %b %j %u %G-%V %F %T %s %z %Z %% %y %I %p %f %H %M %S")',
    'default("x")', "default(null)", "default( [ ] )", "default({})", "default(-0.5e3)",
    "default(1, 2)", "default(1e999)", 'default("\\ud800")', "default(NaN)", "uper",
    'date("%Q")', 'date("%")', "date(1)", "upper(1)", "upper( )",
    'default ("}}|")', "default(01)",
])  # fmt: skip
SPACES = st.sampled_from(["", " ", "\n"])
PLACES = st.builds(
    lambda space, source, filters: (
        ("{{" + space + source + "".join(f"{space}|{space}{f}" for f in filters))
        + space
        + "}}"
    ),
    SPACES,
    PATHS | PATHS | st.sampled_from(['"{{"', '""', '"\\u0000"', '"ä"']),
    st.lists(FILTERS, max_size=2),
)
BROKEN = st.sampled_from(
    ["{{", "}}", "{", "}", "|", "(", ")", '"', "[", "]", "\\", "."]
)
TEMPLATES = st.one_of(
    PLACES,
    st.lists(PLACES | TEXTS, max_size=4).map("".join),
    st.lists(PLACES | TEXTS | PATHS | FILTERS | BROKEN | SPACES, max_size=8).map(
        "".join
    ),
)


def outcome(act: Callable[[], object]) -> str:
    """Return the result, or how it failed; repr() distinguishes 1, 1.0 and true."""
    try:
        return repr(act())
    except (reference.Invalid, InvalidTemplate) as error:
        str(error).encode()
        return "invalid"
    except (reference.Failed, RenderingFailed) as error:
        str(error).encode()
        return "failed"


@many
@given(template=TEMPLATES, document=DOCUMENTS)
def test_templates_do_what_the_reference_does_and_raise_nothing_else(
    template: str, document: dict[str, object]
) -> None:
    resolved = outcome(lambda: parse_template(template).resolve(document))
    rendered = outcome(lambda: parse_template(template).render(document))

    assert resolved == outcome(lambda: reference.resolve(template, document))
    assert rendered == outcome(lambda: reference.render(template, document))


FIELD_ROOTS = st.sampled_from(["body", "headers", "request", "query", "hour"])
FIELD_STEPS = STEPS | st.sampled_from([
    ".headers", ".Ab", '["Ab"]', ".query_params", ".query", ".body", ".{x}|(y)'z",
    ".\v",
])  # fmt: skip
FIELDS = st.builds(
    lambda root, steps: root + "".join(steps), FIELD_ROOTS, st.lists(FIELD_STEPS)
) | st.text('ab.[]"0-1*\\/ {}|\ud800\0', max_size=12).map(lambda end: f"body{end}")


@many
@given(written=FIELDS, document=JSON)
def test_each_field_of_a_condition_is_the_same_path(
    written: str, document: object
) -> None:
    values = dict.fromkeys(ROOTS, document)
    try:
        field = parse_field(written)
    except UnreadableFieldError:
        return

    path = parse_path(written, roots=ROOTS)

    assert tuple(step.key for step in path.steps) == field.path
    assert repr(path.find(values)) == repr(field.finder()(values))
