from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0


class Outage:
    """Whether Redis may be asked: after a failure, only by a thread of its own.

    The thread calls `probe` every five seconds until it raises no error; no request
    waits for it. All requests pass without limits meanwhile. The log says once when
    the outage starts and once when it is over.
    """

    def __init__(self, probe: Callable[[], object], failure: type[Exception]) -> None:
        self._probe = probe
        self._failure = failure
        self._lock = threading.Lock()
        self._is_on = False
        self._prober: threading.Thread | None = None
        self._passed = 0
        self.passed_in_all = 0

    def may_ask(self) -> bool:
        if not self._is_on:
            return True
        with self._lock:
            if not self._is_on:
                return True
            self._count_passed()
            self._ensure_prober()
            return False

    def start(self, error: Exception) -> None:
        """Note a failure, and that the request that met it passed."""
        with self._lock:
            is_new, self._is_on = not self._is_on, True
            self._count_passed()
            self._ensure_prober()
        if is_new:
            logger.warning(
                "Redis does not answer (%s); webhooks are taken without limits",
                type(error).__name__,
            )

    def end(self) -> None:
        """Let requests ask again."""
        with self._lock:
            was_on, self._is_on = self._is_on, False
            passed, self._passed = self._passed, 0
            self._prober = None
        if was_on:
            logger.warning(
                "Redis answers again; %d requests passed without limits", passed
            )

    def _ensure_prober(self) -> None:
        # A fork inherits the outage without the thread.
        if self._prober is None or not self._prober.is_alive():
            self._prober = threading.Thread(
                target=self._probe_until_it_answers, name="redis-probe", daemon=True
            )
            self._prober.start()

    def _probe_until_it_answers(self) -> None:
        while self._is_on:
            time.sleep(PAUSE_SECONDS)
            try:
                self._probe()
            except self._failure:
                continue
            self.end()
            return

    def _count_passed(self) -> None:
        self._passed += 1
        self.passed_in_all += 1
