"""How often Python looks for garbage in the processes that handle batches."""

from __future__ import annotations

import gc

# New objects between two collections; Python's default is 700. The parsed bodies of a
# batch are many objects that live until its end, and collections walked through them
# again and again: that took a third of the CPU of web processes and workers.
OBJECTS = 20_000


def collect_less_garbage() -> None:
    """Collect less often, and nothing that exists now.

    Call it when everything that lives as long as the process has been created.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS)
