from __future__ import annotations

from common.errors import Fault
from webhooks.sandbox.entry import CodeKind, find_entry
from webhooks.sandbox.errors import SandboxRefused
from webhooks.sandbox.limits import PARSER
from webhooks.sandbox.running import execute


def find_code_faults(code: str, *, kind: CodeKind) -> list[Fault]:
    """Return what is wrong with code that is to be stored; raises SandboxUnavailable.

    Its functions are defined, but not called: there is no request to call them with.
    """
    try:
        find_entry(code, kind)
        execute(code, inputs={}, limits=PARSER)
    except SandboxRefused as error:
        return [Fault("", error.detail)]
    return []
