"""The project's application with more time for Redis and for uploaded code.

On a busy machine the 50 ms of both can pass before either has started. Then no limit
applies, and a valid delivery is rejected.
"""

from __future__ import annotations

from unittest.mock import patch

import config.wsgi as _django_is_set_up  # noqa: F401 - by its import

# isort: split
from common import rate_limits
from config.asgi import application
from senders.sandbox import calls, limits
from senders.sandbox.limits import TimeLimits

__all__ = ["application"]

VALIDATOR = TimeLimits(run_seconds=1.0, wait_seconds=10.0)

patch.object(rate_limits, "TIMEOUT_SECONDS", 10.0).start()
patch.object(calls, "VALIDATOR", VALIDATOR).start()
patch.object(limits, "VALIDATOR", VALIDATOR).start()
patch.object(limits, "MAX_WAIT_SECONDS", 10.0).start()
