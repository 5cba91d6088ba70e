"""Runs the parser and validation code of webhook types in separate processes.

Monty interprets the code in child processes that have no access to the environment,
files or network; their time, memory, depth and output are bounded. Uses no framework.
"""

from __future__ import annotations

from senders.errors import SandboxRefused, SandboxTimedOut, SandboxUnavailable
from senders.sandbox.calls import find_code_faults, run_parser, run_validator
from senders.sandbox.entry_points import CodeKind

__all__ = [
    "CodeKind",
    "SandboxRefused",
    "SandboxTimedOut",
    "SandboxUnavailable",
    "find_code_faults",
    "run_parser",
    "run_validator",
]
