"""The one place where types and the sandbox that runs their code meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from common.errors import Fault
from webhooks.definitions import WebhookTypeDefinition

SANDBOX = "webhooks.sandbox"
KINDS = {"custom_parser_code": "parser", "validation_code": "validator"}


def find_code_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong with the code of an upload; nothing of it is called."""
    sandbox = _sandbox()
    for field, kind in KINDS.items():
        if sandbox is not None and document.get(field):
            for fault in sandbox.find_code_faults(document[field], kind=kind):
                yield Fault(f"/{field}{fault.pointer}", fault.detail)


def run_code(
    definition: WebhookTypeDefinition,
    *,
    body: object,
    headers: Mapping[str, str],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the code of a type makes of a request, as `parsed` and `is_valid`.

    Both are left out where the type has no such code; `parse_error` and
    `validation_error` say why code failed.
    """
    sandbox = _sandbox()
    given = {"body": body, "headers": dict(headers), "config": dict(config)}
    told: dict[str, Any] = {}
    if sandbox is None:
        return told
    if code := definition.custom_parser_code:
        try:
            told["parsed"] = sandbox.run_parser(code, **given)
        except sandbox.SandboxRefused as error:
            told["parse_error"] = error.detail
    if code := definition.validation_code:
        try:
            told["is_valid"] = sandbox.run_validator(code, **given)
        except sandbox.SandboxRefused as error:
            told |= {"is_valid": False, "validation_error": error.detail}
    return told


def _sandbox() -> ModuleType | None:
    """Return the sandbox, loaded when it is needed first; None without one."""
    return import_module(SANDBOX) if find_spec(SANDBOX) is not None else None
