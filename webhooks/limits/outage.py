from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0


class Outage:
    """Whether Redis may be asked: after a failure, by one request in five seconds.

    All others pass without limits. Told in the log once when it starts and once when
    it is over.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_on = False
        self._ask_again_at = 0.0
        self._passed = 0
        self.passed_in_all = 0

    def may_ask(self) -> bool:
        if not self._is_on:
            return True
        with self._lock:
            now = time.monotonic()
            if now >= self._ask_again_at:
                self._ask_again_at = now + PAUSE_SECONDS
                return True
            self._count_passed()
            return False

    def start(self, error: Exception) -> None:
        """Note a failure, and that the request that met it passed."""
        with self._lock:
            is_new, self._is_on = not self._is_on, True
            self._ask_again_at = time.monotonic() + PAUSE_SECONDS
            self._count_passed()
        if is_new:
            logger.warning(
                "Redis does not answer (%s); webhooks are taken without limits",
                type(error).__name__,
            )

    def end(self) -> None:
        """Note an answer."""
        if not self._is_on:
            return
        with self._lock:
            was_on, self._is_on = self._is_on, False
            passed, self._passed = self._passed, 0
        if was_on:
            logger.warning(
                "Redis answers again; %d requests passed without limits", passed
            )

    def _count_passed(self) -> None:
        self._passed += 1
        self.passed_in_all += 1
