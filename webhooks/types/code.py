"""The one place where types and the sandbox that runs their code meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from common.errors import Fault
from senders import sandbox
from senders.definitions import WebhookTypeDefinition


def find_code_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong with the code of an upload; nothing of it is called.

    Raises SandboxUnavailable.
    """
    if code := document.get("custom_parser_code"):
        yield from _find("custom_parser_code", code, "parser")
    if code := document.get("validation_code"):
        yield from _find("validation_code", code, "validator")


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
    given: dict[str, Any] = {"body": body, "headers": headers, "config": config}
    told: dict[str, Any] = {}
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


def _find(field: str, code: str, kind: sandbox.CodeKind) -> Iterator[Fault]:
    for fault in sandbox.find_code_faults(code, kind=kind):
        yield Fault(f"/{field}{fault.pointer}", fault.detail)
