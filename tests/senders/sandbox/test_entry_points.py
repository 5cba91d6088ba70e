from __future__ import annotations

import pytest

from common.errors import Fault
from senders.sandbox import CodeKind, SandboxRefused, find_code_faults, run_parser
from senders.sandbox.entry_points import find_entry_point
from tests.senders.sandbox.code import PARSE_CHAT, VALIDATE_HMAC


def fault_of(code: str, kind: CodeKind = "parser") -> str:
    (fault,) = find_code_faults(code, kind=kind)
    assert fault.pointer == ""
    return fault.detail


@pytest.mark.parametrize(
    ("code", "kind"), [(PARSE_CHAT, "parser"), (VALIDATE_HMAC, "validator")]
)
def test_valid_code_has_no_faults(code: str, kind: CodeKind) -> None:
    assert find_code_faults(code, kind=kind) == []


@pytest.mark.parametrize(
    "code",
    [
        "def anything(body): return {'by': 'it'}",
        "def parse(body, query=r'\\\\', method=('),', b'\"')): return {'by': 'it'}",
        "'it\\'s'; '''\\'''\ndef parse_no(): 1'''\ndef parse(): return {'by': 'it'}",
        "# it's\ndef parse(body): return {'by': 'it'}",
        "def é(body): return {'by': 'it'}",
        "def helper(x): return x\ndef parse_it(body): return {'by': helper('it')}",
        "def parse(\n    body: dict,  # it\n    headers=(1,),\n): return {'by': 'it'}",
        "x = '''\ndef parse_no(body): pass\n'''\ndef parse(): return {'by': 'it'}",
        "class A:\n    def parse(self): pass\n\ndef parse(body): return {'by': 'it'}",
    ],
)
def test_the_function_is_found(code: str) -> None:
    assert run_parser(code, body=None, headers={}, config={}) == {"by": "it"}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = 1", 0),
        ("", 0),
        ("async def parse(body): return {}", 0),
        ("if True:\n    def parse(body): return {}", 0),
        ("def parse_a(body): return {}\ndef parse_b(body): return {}", 2),
        ("def a(body): return {}\ndef b(body): return {}\ndef c(body): return {}", 3),
    ],
)
def test_code_without_exactly_one_function_is_rejected(code: str, found: int) -> None:
    assert fault_of(code) == (
        "The code must have exactly one function whose name begins with `parse` "
        f"at its top level, or only one function; it has {found}"
    )


@pytest.mark.parametrize(
    ("parameters", "named"),
    [("data", "data"), ("body, *args", "*"), ("**kw", "**"), ("body, /", "/")],
)
def test_an_unknown_parameter_is_rejected(parameters: str, named: str) -> None:
    assert fault_of(f"def validate({parameters}): return True", "validator") == (
        f"`validate` has a parameter `{named}`; the allowed parameters are: "
        "body, headers, webhook_config, config, query, method"
    )


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def parse(body) return {}", "SyntaxError in line 1"),
        ("def parse(body):\n    yield 1", "NotImplementedError in line 2: "),
        (
            "x = 1/0\ndef parse(body): return {}",
            "ZeroDivisionError in line 1: ",
        ),
        (
            "import numpy\ndef parse(body): return {}",
            "ModuleNotFoundError in line 1: ",
        ),
        ("def parse(body): return {", "SyntaxError in line"),
        ("def parse(body): return {'", "A string in the code is not closed"),
        ("while True: pass\ndef parse(body): return {}", "It ran longer than 500 ms"),
    ],
)
def test_code_that_cannot_be_loaded_is_rejected(code: str, says: str) -> None:
    assert fault_of(code).startswith(says)


def test_code_of_more_than_64_kilobytes_is_rejected() -> None:
    code = "def parse(body): return {}\n#"
    fits = code + "\u00e4" * ((65_536 - len(code)) // 2)

    assert find_code_faults(fits, kind="parser") == []
    assert find_code_faults(fits + "\u00e4", kind="parser") == [
        Fault("", "The code is larger than 64 KB")
    ]


@pytest.mark.parametrize("code", ["\ud800", "\x00", "def parse(body): '\ud800'", "\\"])
def test_code_that_is_not_text_is_rejected(code: str) -> None:
    assert find_code_faults(code, kind="parser") != []


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["'", "'\\", "x=\\'", '"' * 3, "(", "f'{", "def f():0\n"]
)
def test_finding_the_function_takes_linear_time(piece: str) -> None:
    with pytest.raises(SandboxRefused):
        find_entry_point(piece * (64_000 // len(piece)), "parser")


def test_faulty_code_is_not_run() -> None:
    with pytest.raises(SandboxRefused, match="has a parameter `data`"):
        run_parser("def parse(data): return {}", body=None, headers={}, config={})
