from __future__ import annotations

import pytest

from tests.webserver.edge import CHUNKED, make_scope
from webserver.wsgi import build_environ


def test_path_and_query_are_decoded_once_and_kept_raw() -> None:
    raw = b"/webhooks/a%2Fb%C3%A9%ff"
    scope = make_scope(raw_path=raw, query_string=b"x=%41&y")

    environ = build_environ(scope, b"")

    assert environ["PATH_INFO"] == "/webhooks/a/bÃ©ÿ"
    assert environ["QUERY_STRING"] == "x=%41&y"
    assert environ["REQUEST_URI"] == "/webhooks/a%2Fb%C3%A9%ff?x=%41&y"


def test_addresses_and_protocol_become_variables() -> None:
    environ = build_environ(make_scope(http_version="2", scheme="https"), b"")

    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("192.0.2.1", "4711")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "8000")
    assert environ["SERVER_PROTOCOL"] == "HTTP/2"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["REQUEST_METHOD"] == "POST"


def test_a_socket_without_addresses_has_empty_ones() -> None:
    environ = build_environ(make_scope(client=None, server=None), b"")

    assert (environ["REMOTE_ADDR"], environ["SERVER_NAME"]) == ("", "")


def test_the_content_length_is_that_of_the_body_even_if_it_came_in_chunks() -> None:
    environ = build_environ(make_scope(headers=CHUNKED), b"hello")

    assert environ["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert environ["wsgi.input"].read() == b"hello"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"x-a", b"1"), (b"x-a", b"2")], {"HTTP_X_A": "1,2"}),
        ([(b"x-a", b"1")] * 1000, {"HTTP_X_A": ",".join(["1"] * 1000)}),
        ([(b"cookie", b"a=1"), (b"cookie", b"b=2")], {"HTTP_COOKIE": "a=1; b=2"}),
        ([(b"content-type", b"text/x")], {"CONTENT_TYPE": "text/x"}),
        ([(b"x-forwarded-for", b"1.2.3.4")], {"HTTP_X_FORWARDED_FOR": "1.2.3.4"}),
        ([(b"x_forwarded_for", b"1.2.3.4")], {}),
        ([(b"content_length", b"7"), (b"content_type", b"a/b")], {}),
        ([(b"proxy", b"http://evil.test")], {}),
        ([(b"x-h", b"caf\xe9 \xff\x80")], {"HTTP_X_H": "café ÿ\x80"}),
    ],
)
def test_headers_become_variables(
    headers: list[tuple[bytes, bytes]], expected: dict[str, str]
) -> None:
    plain = build_environ(make_scope(), b"")

    environ = build_environ(make_scope(headers=headers), b"")

    added = {name: environ[name] for name in environ.keys() - plain.keys()}
    assert added == expected
    assert environ["CONTENT_LENGTH"] == "0"
