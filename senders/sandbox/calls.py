from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from common.errors import Fault
from senders.errors import SandboxRefused
from senders.sandbox.entry_points import (
    CodeKind,
    EntryPoint,
    find_entry_point,
    input_name,
)
from senders.sandbox.limits import (
    MAX_INPUT_BYTES,
    PARSER,
    VALIDATOR,
    TimeLimits,
    exclusive_run,
)
from senders.sandbox.results import as_flag, as_object
from senders.sandbox.running import run_program


def find_code_faults(code: str, *, kind: CodeKind) -> list[Fault]:
    """Return the faults of code before it is stored; raise SandboxUnavailable.

    The code is loaded, but its functions are not called: there is no request yet.
    """
    try:
        find_entry_point(code, kind)
        run_program(code, inputs={}, limits=PARSER)
    except SandboxRefused as error:
        return [Fault("", error.detail)]
    return []


def run_parser(
    code: str,
    *,
    body: object,
    headers: Mapping[str, Any],
    config: Mapping[str, Any],
    query: Mapping[str, Any] | None = None,
    method: str = "",
) -> dict[str, object]:
    """Return the result of a parser for a request: a JSON object of at most 64 KB.

    Raise SandboxRefused and SandboxUnavailable.
    """
    arguments = _arguments(body, headers, config, query, method)
    return as_object(_call(code, "parser", arguments, PARSER))


def run_validator(
    code: str,
    *,
    headers: Mapping[str, Any],
    body: object,
    config: Mapping[str, Any],
    query: Mapping[str, Any] | None = None,
    method: str = "",
    one_at_a_time: object | None = None,
) -> bool:
    """Return whether a validator accepts a request.

    Raise SandboxRefused if the code fails, which also means that it does not accept the
    request, and SandboxUnavailable. Calls with the same key `one_at_a_time` run one
    after the other in this process (`exclusive_run`).
    """
    arguments = _arguments(body, headers, config, query, method)
    with exclusive_run(one_at_a_time):
        return as_flag(_call(code, "validator", arguments, VALIDATOR))


def _arguments(
    body: object,
    headers: Mapping[str, Any],
    config: Mapping[str, Any],
    query: Mapping[str, Any] | None,
    method: str,
) -> dict[str, object]:
    webhook_config = dict(config)
    return {
        "body": body,
        "headers": dict(headers),
        "webhook_config": webhook_config,
        "config": webhook_config,
        "query": dict(query or {}),
        "method": method,
    }


def _call(
    code: str, kind: CodeKind, arguments: Mapping[str, object], limits: TimeLimits
) -> object:
    entry_point = find_entry_point(code, kind)
    inputs = inputs_for(entry_point, arguments)
    return run_program(f"{code}\n{entry_point.call}", inputs=inputs, limits=limits)


def inputs_for(
    entry_point: EntryPoint, arguments: Mapping[str, object]
) -> dict[str, Any]:
    """Return the arguments that a function takes, as inputs of the interpreter.

    Raise SandboxRefused for more than 1 MB: a large request must not slow the code
    down.
    """
    taken = {name: arguments[name] for name in entry_point.parameters}
    try:
        size = len(orjson.dumps(taken))
    except TypeError:
        # Monty does not accept lone surrogates: U+FFFD replaces them.
        text = json.dumps(taken, ensure_ascii=False)
        utf16 = text.encode("utf-16-le", "surrogatepass")
        clean = utf16.decode("utf-16-le", "replace")
        taken, size = json.loads(clean), len(clean)
    if size > MAX_INPUT_BYTES:
        raise SandboxRefused(
            f"The request is larger than {MAX_INPUT_BYTES:,} bytes, "
            "which is more than the code is run on"
        )
    return {input_name(name): value for name, value in taken.items()}
