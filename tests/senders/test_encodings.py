from __future__ import annotations

import gzip

import pytest

from senders.errors import BodyExpandsTooFar, MalformedBody, UnknownEncoding
from senders.parsing import decode_body
from senders.parsing.json_bodies import split_array

MEGABYTE = 1024 * 1024
ZIPPED = gzip.compress(b'{"a": 1}')


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_stays_as_it_is(encoding: str) -> None:
    body = b"\x1f\x8b any"

    assert decode_body(body, encoding) is body


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZip"])
def test_gzip_is_undone(encoding: str) -> None:
    assert decode_body(ZIPPED, encoding) == b'{"a": 1}'


def test_members_of_gzip_follow_each_other() -> None:
    assert decode_body(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"


def test_more_members_than_anybody_sends_are_refused() -> None:
    assert decode_body(gzip.compress(b"a") * 16, "gzip") == b"a" * 16
    with pytest.raises(MalformedBody, match="more than 16 members"):
        decode_body(gzip.compress(b"a") * 17, "gzip")


@pytest.mark.parametrize("body", [b"no", ZIPPED[:-1], ZIPPED + b"x", ZIPPED[:5]])
def test_what_is_no_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode_body(body, "gzip")


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "zlib", "hex"])
def test_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(UnknownEncoding) as refused:
        decode_body(b"x", encoding)

    assert refused.value.http_status == 415


def test_a_small_body_may_expand_to_a_megabyte() -> None:
    assert len(decode_body(gzip.compress(bytes(MEGABYTE)), "gzip")) == MEGABYTE


@pytest.mark.parametrize("size", [MEGABYTE + 1, 50 * MEGABYTE])
def test_a_bomb_is_refused_before_it_goes_off(size: int) -> None:
    with pytest.raises(BodyExpandsTooFar) as refused:
        decode_body(gzip.compress(bytes(size)), "gzip")

    assert refused.value.http_status == 413


def test_the_items_of_an_array_stay_as_they_were_sent() -> None:
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
