from __future__ import annotations

from common.errors import Fault
from senders.sandbox.entry import CodeKind, find_entry
from senders.sandbox.errors import SandboxRefused
from senders.sandbox.limits import PARSER
from senders.sandbox.running import execute


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
