from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senders.parsing import BodyKind, MalformedBody, ParsedBody, parse_body
from tests.senders.requests import PUSH

JSON = "application/json"


FORM = "application/x-www-form-urlencoded"


MULTIPART = "multipart/form-data; boundary=B"


def detail_of(body: bytes, content_type: str = JSON) -> str:
    with pytest.raises(MalformedBody) as raised:
        parse_body(body, content_type)
    return raised.value.detail


def part(disposition: str, content: bytes, *more_headers: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *more_headers]
    head = "".join(f"{line}\r\n" for line in lines).encode()
    return b"--B\r\n" + head + b"\r\n" + content + b"\r\n"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=zlib",
        "application/json, text/plain",
        "application/vnd.github+json",
        "application/cloudevents+json; charset=utf-8",
        "text/json",
    ],
)
def test_all_content_types_of_json_are_recognized(content_type: str) -> None:  # R210
    parsed = parse_body(PUSH, content_type)

    assert parsed == ParsedBody(value=json.loads(PUSH), kind=BodyKind.JSON)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/html; charset=utf-8",
        FORM,
        "application/octet-stream",
        "application/csp-report",
        "application/x-amz-json-1.0",
        "application/x-amz-json-1.1",
        "application/x-json",
        "text/javascript",
        "application/x-anything",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b'{"amount": 1250}',
        b' \n[1, {"url": "https://shop.example/?a=1&b=%20"}]\r\n',
        b"\xef\xbb\xbf" + b'{"amount": 1250}',
        b'{"a+b": "c=d;e"}',
        b"{}",
    ],
)
def test_json_that_is_declared_as_something_else_is_read_as_json(
    body: bytes, content_type: str
) -> None:
    parsed = parse_body(body, content_type)

    value = json.loads(body.decode("utf-8-sig"))
    assert parsed == ParsedBody(value=value, kind=BodyKind.JSON, read_as="json")


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"[a]=1&[b]=2", FORM, BodyKind.FORM),
        (b"{a}", FORM, BodyKind.FORM),
        (b'{"a":1}\n{"a":2}', "text/plain", BodyKind.TEXT),
        (b'{"a":1}', "application/x-ndjson", BodyKind.TEXT),
        (b'{"a":1}', "application/xml", BodyKind.XML),
        (b"[" * 101 + b"]" * 101, "application/octet-stream", BodyKind.TEXT),
        (b'"text"', "application/octet-stream", BodyKind.TEXT),
    ],
)
def test_what_is_no_json_object_or_array_is_read_as_declared(
    body: bytes, content_type: str, kind: BodyKind
) -> None:
    parsed = parse_body(body, content_type)

    assert (parsed.kind, parsed.read_as) == (kind, "")


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b'{"a":1,}', JSON, '{"a":1,}'),
        (b"{'a': 1}", "application/vnd.x+json", "{'a': 1}"),
        (b"[1e400]", JSON, "[1e400]"),
        (b"[NaN]", JSON, "[NaN]"),
        (b"9" * 4301, JSON, "9" * 4301),
        (b"hello", JSON, "hello"),
        (b'{"a":"\xe9"}', JSON + "; charset=iso-8859-1", '{"a":"é"}'),
        (b'{"a":"\xe9"}', JSON + "; charset=windows-1252", '{"a":"é"}'),
    ],
)
def test_a_type_that_takes_any_body_takes_invalid_json_as_text(
    body: bytes, content_type: str, text: str
) -> None:
    parsed = parse_body(body, content_type, any_body=True)

    assert (parsed.value, parsed.kind, parsed.is_text) == (text, BodyKind.TEXT, True)
    assert parsed.warning.startswith("The content type declares JSON, but")
    with pytest.raises(MalformedBody):
        parse_body(body, content_type)


def test_any_body_includes_bytes_that_are_no_text() -> None:
    parsed = parse_body(b"\xff\xfe", JSON, any_body=True)

    assert (parsed.value, parsed.kind) == (None, BodyKind.BINARY)
    assert "not valid UTF-8" in parsed.warning


@pytest.mark.parametrize("body", [b"[" * 101 + b"]" * 101, b"[" * 10_000])
def test_json_that_is_too_costly_is_rejected_by_every_type(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        parse_body(body, JSON, any_body=True)


@pytest.mark.parametrize("content_type", [JSON, FORM, MULTIPART, "", "text/plain"])
def test_an_empty_body_has_no_value(content_type: str) -> None:
    assert parse_body(b"", content_type) == ParsedBody(value=None, kind=BodyKind.EMPTY)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"true", True),
        (b"[]", []),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'"\\u0000"', "\x00"),
        (b'{"\\ud800":1}', {"\ud800": 1}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b"18446744073709551616", 2**64),
        (b"-9223372036854775809", -(2**63) - 1),
        (b"[" + b"9" * 4300 + b"]", [10**4300 - 1]),
        (b"1e-400", 0.0),
        (b"[-1e308]", [-1e308]),
    ],
)
def test_unusual_json_keeps_its_value(body: bytes, value: object) -> None:
    parsed = parse_body(body, JSON)

    assert parsed.value == value
    assert type(parsed.value) is type(value)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"a":', "The body is not valid JSON"),
        (b'{"a":1}x', "The body is not valid JSON"),
        (b" ", "The body is not valid JSON"),
        (b'"\xff"', "The body is not valid UTF-8."),
        (b'"\xed\xa0\x80"', "The body is not valid UTF-8."),
        ('{"a":1}'.encode("utf-16"), "The body is not valid UTF-8."),
        (b"[NaN]", "NaN is not JSON."),
        (b"-Infinity", "-Infinity is not JSON."),
        (b"[1e400]", "A number is too large for a 64-bit float."),
        (b"-" + b"9" * 4301, "A number has more than 4300 digits."),
        (b"[" * 100_000, "The JSON is nested too deeply."),
    ],
)
def test_malformed_json_is_rejected(body: bytes, detail: str) -> None:  # R209
    assert detail_of(body).startswith(detail)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_json_can_have_at_most_a_hundred_levels(opening: bytes, closing: bytes) -> None:
    parsed = parse_body(opening * 100 + b"1" + closing * 100, JSON)

    assert parsed.kind == BodyKind.JSON
    assert detail_of(opening * 101 + b"1" + closing * 101) == (
        "The JSON is nested more than 100 levels deep."
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"[" + b"[]," * 100_000 + b"1]", "100,000 arrays and objects"),
        (b"[" + b"{}," * 100_000 + b"1]", "100,000 arrays and objects"),
        (b"[" + b"1," * 1_000_000 + b"1]", "1,000,000 values"),
        (b'["' + b"\\\\" + b'",' + b"[]," * 100_000 + b"1]", "100,000 arrays and"),
    ],
    ids=["arrays", "objects", "numbers", "after an escaped backslash"],
)
def test_json_that_costs_too_much_is_rejected_before_parsing(
    monkeypatch: pytest.MonkeyPatch, body: bytes, detail: str
) -> None:
    monkeypatch.setattr("senders.parsing.bodies.orjson.loads", None)

    assert detail_of(body).startswith(f"The JSON has more than {detail}")


@pytest.mark.parametrize(
    "text",
    ["[{,", 'a"[{,', "\\[{,", '",[', '\\"[', ""],
)
def test_brackets_within_strings_do_not_count(text: str) -> None:
    value = [[text * 100_000], {text + "[" * 100_000: [",[" * 500_000, text]}]

    assert parse_body(json.dumps(value).encode(), JSON).value == value


def test_a_form_with_too_many_escapes_is_rejected_before_decoding() -> None:
    assert parse_body(b"a=" + b"%41" * 1000, FORM).value == {"a": "A" * 1000}
    assert detail_of(b"a=" + b"%41" * 1_000_001, FORM) == (
        "The form has more than 1,000,000 percent-encoded bytes."
    )


def test_a_malformed_body_is_a_400() -> None:  # R201
    with pytest.raises(MalformedBody) as raised:
        parse_body(b"{", JSON)

    assert (raised.value.http_status, raised.value.code) == (400, "malformed_body")


def test_the_fields_of_a_form_are_text() -> None:  # R210
    parsed = parse_body(b"a=1&b=x+y%21&empty=&b=z", FORM)

    assert parsed == ParsedBody(
        value={"a": "1", "b": ["x y!", "z"], "empty": ""},
        kind=BodyKind.FORM,
        is_text=True,
    )


@pytest.mark.parametrize(
    ("charset", "value"),
    [
        ("", "\ufffd"),
        ("; charset=UTF-8", "\ufffd"),
        ('; charset="utf-8"; charset=zlib', "\ufffd"),
        ("; charset=iso-8859-1", "\u00ff"),
        ("; charset=hex", "\u00ff"),
        ("; charset=undefined", "\u00ff"),
    ],
)
def test_the_charset_of_a_form_is_never_looked_up(charset: str, value: str) -> None:
    assert parse_body(b"a=%ff", FORM + charset).value == {"a": value}


def test_a_form_of_more_than_a_thousand_fields_is_rejected() -> None:
    assert detail_of(b"a=1&" * 1001, FORM) == "The form has more than 1000 fields."


def test_the_json_in_a_form_of_github_is_parsed() -> None:
    body = b"payload=" + quote_plus(PUSH).encode()

    parsed = parse_body(body, FORM, form_json_field="payload")

    assert parsed == ParsedBody(value=json.loads(PUSH), kind=BodyKind.FORM)


def test_a_form_without_the_json_field_stays_a_form() -> None:
    parsed = parse_body(b"a=1", FORM, form_json_field="payload")

    assert parsed == ParsedBody(value={"a": "1"}, kind=BodyKind.FORM, is_text=True)


def test_a_json_field_that_is_not_json_is_rejected() -> None:
    with pytest.raises(MalformedBody):
        parse_body(b"payload=%7B", FORM, form_json_field="payload")


def test_multipart_yields_fields_and_the_names_of_files() -> None:
    body = (
        part('form-data; name="a"', "gr\u00fc\u00df".encode())
        + part(
            'form-data; name="f"; filename="a;\\"b.pdf"',
            b"\x00\xff\r\n",
            "Content-Type: application/pdf",
        )
        + part("form-data; name=a", b"")
        + b"--B--\r\n"
    )

    parsed = parse_body(body, MULTIPART)

    file = {"name": 'a;"b.pdf', "content_type": "application/pdf", "size": 4}
    assert parsed == ParsedBody(
        value={"a": ["gr\u00fc\u00df", ""], "f": file},
        kind=BodyKind.MULTIPART,
        is_text=True,
    )


def test_a_transfer_encoding_in_multipart_is_ignored() -> None:
    encoded = part("form-data; name=a", b"!!!", "Content-Transfer-Encoding: base64")

    assert parse_body(encoded + b"--B--", MULTIPART).value == {"a": "!!!"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"a":1}', "multipart/form-data"),
        (b'{"a":1}', "multipart/form-data; boundary="),
        (b"--B--", "multipart/form-data; boundary=" + "B" * 71),
        (b"--B--", "multipart/form-data; boundary=\udcff"),
        (b'{"a":1}', MULTIPART),
        (part("form-data; name=a", b"never closed"), MULTIPART),
        (part("form-data; name*=bogus'en'a", b"1") + b"--B--", MULTIPART),
        (part("attachment; name=a", b"1") + b"--B--", MULTIPART),
        (b"--Bogus\r\n\r\n\r\n--B--", MULTIPART),
        (b"--B\r\nno head\r\n--B--", MULTIPART),
        (part("form-data; name=" + "a" * 2048, b"1") + b"--B--", MULTIPART),
        (part("form-data; name=a", b"") * 1001 + b"--B--", MULTIPART),
    ],
)
def test_malformed_multipart_is_rejected(body: bytes, content_type: str) -> None:
    with pytest.raises(MalformedBody):
        parse_body(body, content_type)


def test_multipart_can_have_a_thousand_parts() -> None:
    body = part("form-data; name=a", b"") * 1000 + b"--B--"

    assert parse_body(body, MULTIPART).value == {"a": [""] * 1000}


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"<a/>", "application/xml", BodyKind.XML),
        (b"<a/>", "text/xml; charset=utf-8", BodyKind.XML),
        (b"<a/>", "application/soap+xml", BodyKind.XML),
        (b"{not json", "text/plain", BodyKind.TEXT),
        (b"42", "text/plain", BodyKind.TEXT),
        (b"a: 1", "application/x-anything", BodyKind.TEXT),
    ],
)
def test_other_utf8_bodies_are_text(
    body: bytes, content_type: str, kind: BodyKind
) -> None:
    parsed = parse_body(body, content_type)

    assert parsed == ParsedBody(value=body.decode(), kind=kind, is_text=True)


def test_a_body_that_is_not_text_has_no_value() -> None:
    parsed = parse_body(b"\x89PNG\xff", "image/png")

    assert parsed == ParsedBody(value=None, kind=BodyKind.BINARY)


CONTENT_TYPES = st.one_of(
    st.sampled_from([JSON, FORM, MULTIPART, "text/plain", "text/xml", "x/y"]),
    st.text(st.characters(exclude_categories=()), max_size=50),
    st.builds(
        "{};{}".format,
        st.sampled_from([JSON, FORM, "multipart/form-data", "text/plain"]),
        st.text('bcharset="; =\\zlib\udcff,', max_size=40),
    ),
)


BODIES = st.one_of(
    st.binary(max_size=200),
    st.text('[]{}",:\\u0d8e19+-.NaIf%&=', max_size=80).map(str.encode),
    st.lists(
        st.sampled_from(
            [b"--B", b"\r\n", b"--", b"Content-Disposition: form-data; name=a", b"x"]
        ),
        max_size=20,
    ).map(b"".join),
)


@settings(deadline=None, max_examples=500)
@given(
    body=BODIES,
    content_type=CONTENT_TYPES,
    form_json_field=st.sampled_from([None, "", "a"]),
)
def test_every_body_is_parsed_or_rejected(
    body: bytes, content_type: str, form_json_field: str | None
) -> None:
    try:
        parsed = parse_body(body, content_type, form_json_field=form_json_field)
    except MalformedBody:
        return

    assert isinstance(parsed.kind, BodyKind)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(JSON_VALUES)
def test_every_json_value_is_parsed_unchanged(value: object) -> None:
    assert parse_body(json.dumps(value).encode(), JSON).value == value
