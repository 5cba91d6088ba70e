"""Runs the parser and validation code of webhook types, away from this process.

The code is interpreted by Monty in child processes that see no environment, no file and
no network, and whose time, memory, depth and output are bounded. Knows no framework.
"""

from __future__ import annotations

from senders.sandbox.calls import run_parser, run_validator
from senders.sandbox.checking import find_code_faults
from senders.sandbox.entry import CodeKind
from senders.sandbox.errors import (
    SandboxRefused,
    SandboxTimedOut,
    SandboxUnavailable,
)

__all__ = [
    "CodeKind",
    "SandboxRefused",
    "SandboxTimedOut",
    "SandboxUnavailable",
    "find_code_faults",
    "run_parser",
    "run_validator",
]
