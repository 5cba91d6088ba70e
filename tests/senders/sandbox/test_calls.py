from __future__ import annotations

import hashlib
import hmac

import pytest

from senders.sandbox import SandboxRefused, run_parser, run_validator
from tests.senders.sandbox.code import (
    ECHO,
    PARSE_CHAT,
    VALIDATE_CHAT,
    VALIDATE_HMAC,
    YES,
)

pytestmark = pytest.mark.usefixtures("_ample_time_for_code")


def parse(code: str, body: object = None) -> dict[str, object]:
    return run_parser(code, body=body, headers={}, config={})


def validate(code: str, body: object = None) -> bool:
    return run_validator(code, headers={}, body=body, config={})


def test_a_parser_returns_parts_of_a_message() -> None:
    body = {"message": {"chat": {"id": 2**60}, "text": "HELLO you, hello"}}

    found = run_parser(
        PARSE_CHAT, body=body, headers={"x-kind": "bot"}, config={"room": "a"}
    )

    assert found == {
        "chat_id": 2**60,
        "text": "HELLO you, hello",
        "has_document": False,
        "words": ["HELLO", "hello", "you"],
        "label": "bot/a",
        "is_loud": True,
    }


@pytest.mark.parametrize(
    ("config", "is_valid"), [({"bot_token": "t"}, True), ({}, False)]
)
def test_a_validator_accepts_or_rejects(config: dict[str, str], is_valid: bool) -> None:
    answer = run_validator(VALIDATE_CHAT, headers={}, body={}, config=config)

    assert answer is is_valid


@pytest.mark.parametrize(
    ("signed", "is_valid"), [("order-1", True), ("order-2", False)]
)
def test_a_validator_can_verify_a_signature(signed: str, is_valid: bool) -> None:
    signature = hmac.new(b"secret", signed.encode(), hashlib.sha256).hexdigest()

    answer = run_validator(
        VALIDATE_HMAC,
        headers={"x-signature": signature},
        body={"id": "order-1"},
        config={"key": "secret"},
    )

    assert answer is is_valid


def test_arguments_are_passed_by_name() -> None:
    code = (
        "def parse(method, query, config, webhook_config, headers, body):\n"
        "    return {'all': [method, query, config, webhook_config, headers, body]}"
    )

    found = run_parser(
        code,
        body=[1],
        headers={"h": "2"},
        config={"c": 3},
        query={"q": "4"},
        method="PUT",
    )

    assert found == {"all": ["PUT", {"q": "4"}, {"c": 3}, {"c": 3}, {"h": "2"}, [1]]}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0.1,
        -0.0,
        2**64,
        -(2**70),
        "",
        "\x00 é 日本 \U0001f600",
        [],
        {},
        {"a": [1, {"b": None}]},
        "<xml/>",
    ],
)
def test_values_are_returned_unchanged(value: object) -> None:
    assert parse(ECHO, value) == {"echo": value}


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert parse(ECHO, {"\ud800": "x\udfff \ud83d\ude00"}) == {
        "echo": {"\ufffd": "x\ufffd \U0001f600"}
    }


def test_code_cannot_change_the_values_of_its_caller() -> None:
    body = {"list": [1]}

    parse("def parse(body):\n body['list'].append(2)\n return {}", body)

    assert body == {"list": [1]}


@pytest.mark.parametrize("trace", ["left", "json.left", "json.dumps.left"])
def test_no_state_is_kept_between_calls(trace: str) -> None:
    leave = "import json\nleft = 'secret'\ndef parse(body): return {}"
    find = f"import json\ndef parse(body): return {{'found': {trace}}}"

    for _ in range(4):
        parse(leave)
        with pytest.raises(SandboxRefused, match=r"AttributeError|NameError"):
            parse(find)


@pytest.mark.parametrize("answer", ["1", "0", "None", "'yes'", "[]", "{}"])
def test_a_validator_that_does_not_return_a_bool_is_rejected(answer: str) -> None:
    with pytest.raises(SandboxRefused, match="not True or False"):
        validate(f"def validate(body): return {answer}")


def test_the_text_of_an_exception_is_not_passed_on() -> None:
    code = "def parse(body):\n    raise ValueError(body['secret'])"

    with pytest.raises(SandboxRefused) as raised:
        parse(code, {"secret": "hunter2"})

    assert raised.value.detail == "ValueError in line 2"


@pytest.mark.parametrize("part", ["body", "headers"])
def test_a_request_of_more_than_a_megabyte_is_rejected(part: str) -> None:
    given = {"body": {}, "headers": {}, part: {"a": "x" * 1_000_000}}

    with pytest.raises(SandboxRefused, match="larger than 1,000,000 bytes"):
        run_parser(
            f"def parse({part}): return {{}}",
            body=given["body"],
            headers=given["headers"],
            config={},
        )


def test_a_request_of_nearly_a_megabyte_is_accepted() -> None:
    assert parse("def parse(body): return {'n': len(body['a'])}", {"a": "x" * 990_000})


def test_sleeping_takes_no_time() -> None:
    code = "import time\ndef validate(body):\n    time.sleep(3600)\n    return True"

    assert validate(code) is True


def test_printed_text_is_not_part_of_the_result() -> None:
    assert validate("print('loud')\n" + YES) is True
