"""The two forms of a chaos test: one seed, or several (`CHAOS=long`, `make chaos`)."""

from __future__ import annotations

import os
import random

IS_LONG = os.environ.get("CHAOS") == "long"
SEEDS = range(1, 6) if IS_LONG else range(1, 2)


def dice(seed: int) -> random.Random:
    """Return a random number generator that repeats its numbers."""
    return random.Random(seed)  # noqa: S311 - no secret
