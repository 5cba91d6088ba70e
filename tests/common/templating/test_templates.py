from __future__ import annotations

import pytest

from common.templating import InvalidTemplate, RenderingFailed, parse_template

DOCUMENT: dict[str, object] = {
    "body": {
        "id": 7,
        "price": 1.5,
        "large": 12345678901234567890,
        "name": " Zoë ",
        "paid": True,
        "nothing": None,
        "empty": "",
        "items": [{"id": 1, "note": 'say "hi"'}, {"id": 2}],
        "at": "2024-02-29T23:30:00-05:00",
        "day": "2024-02-29",
        "seconds": 1700000000,
        "milliseconds": 1712012341030,
        "text_of_seconds": "1531420618",
        "braces": "{{ body.id }}",
        "odd": "a\0b\ud800c\ud83d\ude00",
    },
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("No place, { } }} { {", "No place, { } }} { {"),
        ("Order {{ body.id }} of{{body.name}}", "Order 7 of Zoë "),
        ("{{ body.price }} {{ body.large }}", "1.5 12345678901234567890"),
        ("{{ body.paid }} {{ body.nothing }}", "true null"),
        ("[{{ body.empty }}]", "[]"),
        ("{{ body.items }}", '[{"id":1,"note":"say \\"hi\\""},{"id":2}]'),
        ("{{ body.items[*].id }}", "[1,2]"),
        ('{"n":{{ body.name | json }}}', '{"n":" Zoë "}'),
        ('{"a":{"b":{{body.id}}}}', '{"a":{"b":7}}'),
        ("{{\n body.name\n | trim\n | upper\n}}", "ZOË"),
        ("{{ body.name|trim|lower }}", "zoë"),
        ("{{ body.id | trim }}{{ body.paid | upper }}", "7TRUE"),
        ("{{ body.nothing | upper }}", "null"),
        ("{{ body.braces }}", "{{ body.id }}"),
        ('{{ "{{" }} body {{ "}}" }}', "{{ body }}"),
        ("{{ body.odd }}", "a\ufffdb\ufffdc😀"),
        ("{{ body.odd | json }}", '"a\ufffdb\ufffdc😀"'),
        ('{{ body.nothing | default("?") }}{{ body.x | default(0) }}', "?0"),
        ('{{ body.empty | default("?") }}', ""),
        ('{{ body.x.y | upper | default("}}") }}', "}}"),
        ('{{ body.x | date | json | default("never") }}', "never"),
        ("{{ body.nothing | json }}", "null"),
        ("{{ body.at | date }}", "2024-03-01T04:30:00Z"),
        ("{{ body.day | date }}", "2024-02-29T00:00:00Z"),
        ('{{ body.at | date("%Y-%m-%d %H:%M:%S") }}', "2024-03-01 04:30:00"),
        ('{{ body.at | date("%A, %d %B %Y, %I %p") }}', "Friday, 01 March 2024, 04 AM"),
        ('{{ body.at | date("%% %a %b %j %G-W%V-%u") }}', "% Fri Mar 061 2024-W09-5"),
        ("{{ body.seconds | date }}", "2023-11-14T22:13:20Z"),
        ("{{ body.milliseconds | date }}", "2024-04-01T22:59:01.030000Z"),
        ("{{ body.text_of_seconds | date }}", "2018-07-12T18:36:58Z"),
    ],
)  # fmt: skip
def test_a_template_is_rendered(template: str, text: str) -> None:
    assert parse_template(template).render(DOCUMENT) == text


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ body.id }}", 7),
        ("{{body.paid}}", True),
        ("{{ body.nothing }}", None),
        ("{{ body.items[-1] }}", {"id": 2}),
        ("{{ body.items[*].id }}", [1, 2]),
        ("{{ body.odd }}", "a\0b\ud800c\ud83d\ude00"),
        ("{{ body.x | default([]) }}", []),
        ("{{ body.x | default({ }) }}", {}),
        ("{{ body.x | default(null) }}", None),
        ("{{ body.x | default(-1.5e3) }}", -1500.0),
        ("{{ body.id | json }}", "7"),
        (" {{ body.id }}", " 7"),
        ("{{ body.id }}{{ body.id }}", "77"),
        ("text", "text"),
    ],
)
def test_a_single_place_keeps_the_type_of_its_value(
    template: str, value: object
) -> None:
    resolved = parse_template(template).resolve(DOCUMENT)

    assert (type(resolved), resolved) == (type(value), value)


def test_each_resolution_gets_a_list_of_its_own() -> None:
    template = parse_template("{{ x | default([]) }}")

    first, second = template.resolve({}), template.resolve({})

    assert first is not second


MISSING = 'if this is allowed, add a value for it, as in | default("")'
NO_DATE = "date needs an ISO 8601 date or time, or seconds since 1970; the value is"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "Hello {{ body.secret.name }}",
            f"Column 10: There is no value at 'body.secret.name'; {MISSING}",
        ),
        ("{{ body.items | upper }}", "Column 4: upper needs text, not a list"),
        ("1\n{{ body | lower }}", "Line 2, column 4: lower needs text, not an object"),
        ("{{ body | trim }}", "Column 4: trim needs text, not an object"),
        ("{{ body.name | date }}", f"Column 4: {NO_DATE} text that is neither"),
        ("{{ body.items | date }}", f"Column 4: {NO_DATE} a list that is neither"),
        ("{{ nan }}", "Column 4: JSON has no number that is infinite or NaN"),
        ("{{ digits }}", "Column 4: The number has too many digits"),
        ("{{ bytes }}", "Column 4: A value of the type bytes is not JSON"),
        ("{{ keys }}", "Column 4: The keys of objects must be text"),
    ],
)  # fmt: skip
def test_an_unsuitable_value_fails_with_its_position(
    template: str, message: str
) -> None:
    document = {
        **DOCUMENT,
        "nan": float("nan"),
        "digits": 10**5000,
        "bytes": b"x",
        "keys": {1: 2},
    }

    with pytest.raises(RenderingFailed) as raised:
        parse_template(template).render(document)

    assert str(raised.value) == message


BRACES = 'for two braces as text write {{ "{{" }}'
UNCLOSED = f"These braces are not closed: add }}}}; {BRACES}"
END = (
    "Here the braces end with }}, or a filter follows, as in | upper; other signs need "
    'quotes, as in body["a b"]'
)
EMPTY = "The braces are empty: write a path such as body.id between them"
FILTERS = "date, default, json, lower, trim, upper"
LITERAL = (
    "Write a value as in JSON: text in double quotes, a number, true, false, null, "
    "[] or {}"
)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a {{", f"Column 3: {UNCLOSED}"),
        ("a {{ b", f"Column 3: {UNCLOSED}"),
        ("a {{ b |", f"Column 3: {UNCLOSED}"),
        ("a {{ b | upper", f"Column 3: {UNCLOSED}"),
        ("a\n{{ b }", f"Line 2, column 6: {END}"),
        (
            "{{ }}",
            f"Column 1: {EMPTY}; {BRACES}",
        ),
        ("{{ a + 1 }}", f"Column 6: {END}"),
        ("{{ upper(a) }}", f"Column 9: {END}"),
        ("{{{ a }}}", "Column 3: A path begins with a name, such as body.id"),
        ("{{ a | }}", "Column 8: A filter must follow the |, such as upper"),
        ("{{ a | uper }}", "Column 8: Unknown filter 'uper'; did you mean 'upper'?"),
        (
            "{{ a | q }}",
            f"Column 8: Unknown filter 'q'; known: {FILTERS}",
        ),
        ("{{ a | upper(1) }}", "Column 8: upper takes no value"),
        ("{{ a | json(1) }}", "Column 8: json takes no value"),
        (
            "{{ a | default }}",
            'Column 8: default needs one value, as in default("none")',
        ),
        (
            "{{ a | date(1) }}",
            'Column 8: date takes one text, as in date("%Y-%m-%d")',
        ),
        ("{{ a | default(x) }}", f"Column 16: {LITERAL}"),
        ("{{ a | default([1]) }}", f"Column 16: {LITERAL}"),
        ("{{ a | default(NaN) }}", f"Column 16: {LITERAL}"),
        ("{{ a | default(" + "1" * 5000 + ") }}", f"Column 16: {LITERAL}"),
        ("{{ a | default(1e999) }}", "Column 16: The number is too large"),
        (
            '{{ a | default("\\u0000") }}',
            "Column 16: Text cannot contain NUL or lone surrogates",
        ),
        ("{{ a | default(1 }}", "Column 15: Close the values of the filter with )"),
        ("\0", "Column 1: A template must be valid Unicode without NUL"),
        (
            "{{ a[" + "1" * 5000 + "] }}",
            'Column 5: Brackets hold an index as [0] or [-1], [*], or a key as ["a.b"]',
        ),
        (
            "{{ a." + "1" * 5000 + " }}",
            "Column 4: A path can have at most 500 characters",
        ),
    ],
)  # fmt: skip
def test_an_invalid_template_is_rejected_with_its_position(
    template: str, message: str
) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        parse_template(template)

    assert str(raised.value) == message


def test_an_unknown_directive_is_rejected() -> None:
    with pytest.raises(InvalidTemplate, match="Unknown directive '%Q'; known: %Y %y"):
        parse_template('{{ a | date("%Q") }}')
    with pytest.raises(InvalidTemplate, match="Unknown directive '%'; known"):
        parse_template('{{ a | date("100%") }}')


def test_the_paths_of_a_template_begin_with_a_known_root() -> None:
    with pytest.raises(InvalidTemplate, match="Column 11: Unknown name 'bdy'"):
        parse_template("{{ a }} {{bdy.x}}", roots={"a", "body"})
