from __future__ import annotations

from common.errors import InvalidInput, ServiceUnavailable


class SandboxRefused(InvalidInput):
    """The code failed, went over its limits or returned what it may not.

    Its text may be shown to anybody: it quotes no value that the code saw.
    """

    code = "code_refused"


class SandboxTimedOut(SandboxRefused):
    """The code ran longer than it may."""

    code = "code_timed_out"


class SandboxUnavailable(ServiceUnavailable):
    """No interpreter is free to run the code; try again."""

    code = "sandbox_unavailable"
