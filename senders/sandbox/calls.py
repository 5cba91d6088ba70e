from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from senders.sandbox.alone import alone
from senders.sandbox.entry import CodeKind, find_entry
from senders.sandbox.inputs import inputs_for
from senders.sandbox.limits import PARSER, VALIDATOR, Limits
from senders.sandbox.results import as_flag, as_object
from senders.sandbox.running import execute


def run_parser(
    code: str,
    *,
    body: object,
    headers: Mapping[str, Any],
    config: Mapping[str, Any],
    query: Mapping[str, Any] | None = None,
    method: str = "",
) -> dict[str, object]:
    """Return what a parser makes of a request: a JSON object of at most 64 KB.

    Raises SandboxRefused and SandboxUnavailable.
    """
    values = _values(body, headers, config, query, method)
    return as_object(_call(code, "parser", values, PARSER))


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

    Raises SandboxRefused, which means no as well, and SandboxUnavailable: at once where
    code already runs in this process under the same key `one_at_a_time`.
    """
    values = _values(body, headers, config, query, method)
    with alone(one_at_a_time):
        return as_flag(_call(code, "validator", values, VALIDATOR))


def _values(
    body: object,
    headers: Mapping[str, Any],
    config: Mapping[str, Any],
    query: Mapping[str, Any] | None,
    method: str,
) -> dict[str, object]:
    settings = dict(config)
    return {
        "body": body,
        "headers": dict(headers),
        "webhook_config": settings,
        "config": settings,
        "query": dict(query or {}),
        "method": method,
    }


def _call(
    code: str, kind: CodeKind, values: Mapping[str, object], limits: Limits
) -> object:
    entry = find_entry(code, kind)
    inputs = inputs_for(entry, values)
    return execute(f"{code}\n{entry.call}", inputs=inputs, limits=limits)
