from __future__ import annotations

import os

from benchmarks.memory import resident_mb


def test_memory_that_is_touched_is_resident() -> None:
    before = resident_mb(os.getpid())

    held = b"x" * 50_000_000

    assert resident_mb(os.getpid()) - before >= 0.9 * len(held) / 1e6
