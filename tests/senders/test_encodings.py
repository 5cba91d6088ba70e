from __future__ import annotations

import gzip

import pytest

from senders.errors import BodyExpandsTooFar, MalformedBody, UnknownEncoding
from senders.parsing import decode_body
from senders.parsing.bodies import split_array

MEGABYTE = 1024 * 1024
ZIPPED = gzip.compress(b'{"a": 1}', mtime=0)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_is_unchanged(encoding: str) -> None:
    body = b"\x1f\x8b any"

    assert decode_body(body, encoding) is body


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZip"])
def test_gzip_is_decoded(encoding: str) -> None:
    assert decode_body(ZIPPED, encoding) == b'{"a": 1}'


def test_gzip_can_have_several_members() -> None:
    assert decode_body(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"


def test_too_many_members_are_rejected() -> None:
    assert decode_body(gzip.compress(b"a") * 16, "gzip") == b"a" * 16
    with pytest.raises(MalformedBody, match="more than 16 members"):
        decode_body(gzip.compress(b"a") * 17, "gzip")


@pytest.mark.parametrize("body", [b"no", ZIPPED[:-1], ZIPPED + b"x", ZIPPED[:5]])
def test_a_body_that_is_not_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode_body(body, "gzip")


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "zlib", "hex"])
def test_an_unknown_encoding_is_rejected(encoding: str) -> None:
    with pytest.raises(UnknownEncoding) as raised:
        decode_body(b"x", encoding)

    assert raised.value.http_status == 415


def test_a_small_body_may_expand_to_a_megabyte() -> None:
    assert len(decode_body(gzip.compress(bytes(MEGABYTE)), "gzip")) == MEGABYTE


@pytest.mark.parametrize("size", [MEGABYTE + 1, 50 * MEGABYTE])
def test_a_decompression_bomb_is_rejected_before_it_expands(size: int) -> None:
    with pytest.raises(BodyExpandsTooFar) as raised:
        decode_body(gzip.compress(bytes(size)), "gzip")

    assert raised.value.http_status == 413


def test_the_items_of_an_array_keep_their_bytes() -> None:
    body = b'\xef\xbb\xbf [ {"a":  1.50},\n{"b": "\\u00e9]"} , {} ]\n'

    assert split_array(body) == [b'{"a":  1.50}', b'{"b": "\\u00e9]"}', b"{}"]
    assert split_array(b"[]") == []


@pytest.mark.parametrize("body", [b"{}", b'"["', b"[1]", b"[[{}]]", b"[null]"])
def test_a_batch_is_an_array_of_objects(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        split_array(body)


def test_a_batch_has_at_most_four_thousand_items() -> None:
    assert len(split_array(b"[" + b",".join([b"{}"] * 4000) + b"]")) == 4000
    with pytest.raises(MalformedBody, match="more than 4,000"):
        split_array(b"[" + b",".join([b"{}"] * 4001) + b"]")
